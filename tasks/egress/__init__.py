"""The one way out of a process: which hosts may be asked, and at which addresses.

May import protocol alone. The API fetches and calls through it, and so do models that are endpoints
of other servers. See docs/outbound.md.
"""
