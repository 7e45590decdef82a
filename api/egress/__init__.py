"""What the API fetches and calls: files that requests name by URL, and webhooks.

May import access and jobs. Everything goes through one guard (`tasks/egress/guard.py`): no other
file of the API opens a connection that a client can name. Knows no route. Off until an operator
names hosts; see docs/outbound.md.
"""
