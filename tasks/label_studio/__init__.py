"""Answers as Label Studio's results: what the client writes to files and the API answers."""
