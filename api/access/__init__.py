"""Who may do what: API keys, what a path needs, and whose jobs a caller sees.

A request's key names its caller once, at the door; everything behind it asks `caller`.
docs/security.md tells what an operator and a client see.
"""
