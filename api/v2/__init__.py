"""Open Inference Protocol v2 over HTTP, its extensions, and our own: routes, nothing more.

May import core and below. No other surface imports these routes: what two need is in core.
"""
