"""Ids of tenants: each has a space of its own, so that none meets another's by chance or by guess.

A client's id `x` is stored as `acme:x` for the tenant acme, and as it is for nobody's. No tenant's
name has a colon in it.
"""

from __future__ import annotations

#: The tenant of a server without API keys, and of its operator.
NOBODY = "-"

#: Characters of a tenant's name: `finish` tells ids by channels that reckon with so many.
MAX_TENANT = 32


def stored_id(tenant: str, given: str) -> str:
    """What a tenant's id is called in Redis."""
    return given if tenant == NOBODY else f"{tenant}:{given}"


def own_id(tenant: str, stored: str) -> str:
    """What a tenant itself calls it."""
    return stored if tenant == NOBODY else stored.removeprefix(f"{tenant}:")
