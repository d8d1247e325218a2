"""Use cases: what the service does, whoever asks through whatever adapter."""
