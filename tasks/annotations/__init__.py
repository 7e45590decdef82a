"""Files of annotations: which kinds there are, and which of them can hold what a task answers.

They are written by the client; here is what a server can tell of them.
"""
