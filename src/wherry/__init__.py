"""Wherry: a queue-based asynchronous inference fleet.

The rooms, and who may import whom, are in docs/architecture.md.
"""

__version__ = "0.1.0"
