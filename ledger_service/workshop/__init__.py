"""Heavy, pure work (reading bank files, matching, writing spreadsheets) in a process of its own, with bounds.

It would hold up the event loop, and what people upload may want more memory and time than there is: the process has
a limit on both, and is replaced when it meets one.
"""
