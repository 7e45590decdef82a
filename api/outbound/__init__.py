"""What the API fetches and calls: files that requests name by URL, and webhooks.

Everything goes through one guard (`guard.py`): no other file of the API opens a connection that a
client can name. Off until an operator names hosts. See docs/outbound.md.
"""
