"""Who asks: a tenant and what it may do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum

from ...jobs.owned import NOBODY, own_id, stored_id
from ...jobs.tenants import UNLIMITED, TenantLimits
from ...protocol.errors import Forbidden


class Scope(StrEnum):
    """What a key may do."""

    #: Send work, have the answer to it, and cancel it.
    SUBMIT = "submit"
    #: Look at one's own jobs, results, files and batches.
    READ = "read"
    #: Read the metrics, which name every tenant.
    METRICS = "metrics"
    #: Everything, of every tenant.
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """A tenant with a key, or whoever reaches a server that has no keys."""

    tenant: str = NOBODY
    scopes: frozenset[Scope] = frozenset({Scope.ADMIN})
    weight: float = 1.0
    limits: TenantLimits = UNLIMITED

    @property
    def admin(self) -> bool:
        """Whether nothing is closed to it."""
        return Scope.ADMIN in self.scopes

    @property
    def only(self) -> str:
        """The tenant whose things it may list; "" for all."""
        return "" if self.admin else self.tenant

    def sees(self, tenant: str) -> bool:
        """Whether a tenant's things are there for it."""
        return self.admin or tenant == self.tenant

    def stored(self, given: str) -> str:
        """What Redis calls an id that it gives. An admin gives every id as Redis has it."""
        return stored_id(self.tenant, given)

    def shown(self, stored: str) -> str:
        """What it calls an id that Redis has."""
        return own_id(self.tenant, stored)

    def require(self, scope: Scope | None) -> None:
        """Raise Forbidden where the key lacks a scope; None asks for none."""
        if scope is not None and scope not in self.scopes and not self.admin:
            raise Forbidden(f"this API key lacks the scope {scope.value!r}")


#: The caller of a server without keys, and the server itself.
EVERYONE = Caller()

#: Whose request runs now.
caller: ContextVar[Caller] = ContextVar("caller", default=EVERYONE)


@contextmanager
def acting(who: Caller) -> Iterator[None]:
    """Do for a caller what it asked for before."""
    token = caller.set(who)
    try:
        yield
    finally:
        caller.reset(token)
