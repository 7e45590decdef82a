from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

#: Priority of a job that names none: OIP's 0 means "the default".
DEFAULT_PRIORITY = 5

#: Priority of jobs that nobody waits for: a lane of their own, which has a smaller share.
BULK_PRIORITY = 9

#: What a mixed group's id has behind the version: no version has it. A worker of a version that
#: would run all of a batch with its first job's parameters serves no model of that name.
_MIXED = "~"


@dataclass(frozen=True, slots=True)
class Group:
    """Jobs that have one turn: same model, version, tenant, priority, parameters of a batch."""

    family: str
    model: str
    version: str
    tenant: str = "-"
    priority: int = DEFAULT_PRIORITY
    digest: str = "-"
    #: Whether each of its jobs has its own parameters, but for those of the digest.
    mixed: bool = False

    @property
    def id(self) -> str:
        """The group as one readable word; `Group.parse` is its inverse."""
        return _joined(
            self.family,
            self.model,
            self.version + _MIXED * self.mixed,
            self.tenant,
            str(self.priority),
            self.digest,
        )

    @classmethod
    def parse(cls, group_id: str) -> Group:
        """Read a group's id. Raises ValueError when it is none."""
        family, model, version, tenant, priority, digest = map(unquote, group_id.split("/"))
        plain = version.removesuffix(_MIXED)
        return cls(family, model, plain, tenant, int(priority), digest, mixed=plain != version)

    @property
    def queue_key(self) -> str:
        """The Redis list of the family's Celery queue. Its order means nothing: claim chooses."""
        return self.family

    @property
    def is_bulk(self) -> bool:
        """Whether its jobs take the bulk lane."""
        return self.priority == BULK_PRIORITY

    @property
    def lane(self) -> str:
        """What that lane is called."""
        return "bulk" if self.is_bulk else "interactive"

    @property
    def flow(self) -> str:
        """Whose turn its jobs take: the tenant's, in their lane (1 interactive, 2 bulk)."""
        return _joined("2" if self.is_bulk else "1", self.tenant)

    @property
    def model_id(self) -> str:
        """Model and version as one word."""
        return _joined(self.model, self.version)


@functools.lru_cache(maxsize=4096)
def _joined(*parts: str) -> str:
    return "/".join(quote(part, safe="") for part in parts)


def digest(parameters: Mapping[str, Any]) -> str:
    """A short name for the parameters that keep jobs apart; `-` for none."""
    if not parameters:
        return "-"
    text = json.dumps(parameters, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
