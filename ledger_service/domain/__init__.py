"""The rules of double entry: pure data and functions, without I/O, clock or chance."""
