"""API keys: `wherry_<id>_<secret>`, of which the server keeps a digest.

The secret is 192 random bits. Nobody guesses those, however fast the digest, so it is SHA-256: a
slow one (bcrypt, Argon2) makes up for passwords that people choose, and would cost every request a
tenth of a second. The id finds the digest, so that no search over keys can be timed.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import math
import re
import secrets
import time
from datetime import UTC, datetime
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import to_json

from ...jobs.owned import MAX_TENANT, NOBODY
from ...jobs.tenants import TenantLimits
from .caller import Caller, Scope

#: Random bytes of an id and of a secret.
_ID_BYTES, _SECRET_BYTES = 6, 24

#: Where the id is in a token.
_ID = slice(len("wherry_"), len("wherry_") + 2 * _ID_BYTES)

_TENANT = re.compile(rf"[a-z0-9][a-z0-9_-]{{0,{MAX_TENANT - 1}}}")


class ApiKey(BaseModel):
    """What is kept of a key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[0-9a-f]{12}$")
    #: SHA-256 of the whole key, in hex.
    hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    tenant: str = NOBODY
    scopes: tuple[Scope, ...] = Field(min_length=1)
    #: The tenant's share of the fleet against the others'.
    weight: float = Field(default=1.0, gt=0, le=1000)
    #: Limits; 0 for none.
    max_waiting: int = Field(default=0, ge=0)
    max_waiting_bytes: int = Field(default=0, ge=0)
    submits_per_s: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    expires_at: datetime | None = None
    created_at: datetime | None = None
    note: str = Field(default="", max_length=200)
    #: The run that its run workers call the API for; None for a key that somebody was given.
    run: str | None = Field(default=None, max_length=200)

    @field_validator("tenant")
    @classmethod
    def _check_name(cls, value: str) -> str:
        if value != NOBODY and not _TENANT.fullmatch(value):
            raise ValueError(
                f"a tenant is 1 to {MAX_TENANT} of a to z, 0 to 9, - and _, the first of them no "
                "- or _"
            )
        return value

    @field_validator("expires_at", "created_at")
    @classmethod
    def _in_utc(cls, value: datetime | None) -> datetime | None:
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value

    @model_validator(mode="after")
    def _check_tenant(self) -> ApiKey:
        if self.run and Scope.ADMIN in self.scopes:
            raise ValueError("a run's key has not the scope admin")
        operators = Scope.ADMIN in self.scopes or set(self.scopes) == {Scope.METRICS}
        if not self.run and operators != (self.tenant == NOBODY):
            raise ValueError(
                "a key with the scope admin, or metrics alone, is the operator's and names no "
                "tenant; any other does"
            )
        if not operators and Scope.METRICS in self.scopes:
            raise ValueError("metrics name every tenant: a tenant's key has not that scope")
        return self

    @functools.cached_property
    def caller(self) -> Caller:
        """Whom the key stands for."""
        limits = TenantLimits(self.max_waiting, self.max_waiting_bytes, self.submits_per_s)
        return Caller(self.tenant, frozenset(self.scopes), self.weight, limits)

    @functools.cached_property
    def _ends_at(self) -> float:
        return self.expires_at.timestamp() if self.expires_at else math.inf

    def fits(self, token: str) -> bool:
        """Whether the token is this key, and its time is not over. Takes the same time if not."""
        return hmac.compare_digest(self.hash, digest(token)) and time.time() < self._ends_at

    def json_text(self) -> str:
        """The key as Redis keeps it."""
        return to_json(self, exclude_none=True).decode()


class Made(NamedTuple):
    """A new key: its token is nowhere else."""

    token: str
    key: ApiKey


def make(**fields: object) -> Made:
    """Make a key. Raises pydantic's ValidationError for fields that a key cannot have."""
    key_id = secrets.token_hex(_ID_BYTES)
    token = f"wherry_{key_id}_{secrets.token_hex(_SECRET_BYTES)}"
    now = datetime.now(UTC).replace(microsecond=0)
    given = {"id": key_id, "hash": digest(token), "created_at": now, **fields}
    return Made(token, ApiKey.model_validate(given))


def digest(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def id_of(token: str) -> str:
    """The id in a token; what is no key of ours has none that is known."""
    return token[_ID]


def toml_entry(key: ApiKey) -> str:
    """The key as an entry of a file of keys."""
    shown = key.model_dump(mode="json", exclude_defaults=True)
    # JSON's strings, numbers and lists are TOML's; its times are written bare.
    lines = [
        f"{name} = {value if name.endswith('_at') else to_json(value).decode()}"
        for name, value in shown.items()
    ]
    return "\n".join(["[[keys]]", *lines, ""])
