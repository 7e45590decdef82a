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

#: kombu's Redis transport serves one list per priority step, lowest step first. The separator and
#: the steps are kombu's own defaults (kombu.transport.redis.Channel.sep, PRIORITY_STEPS).
_KOMBU_SEPARATOR = "\x06\x16"


@dataclass(frozen=True, slots=True)
class Group:
    """Jobs that may share a batch: same model, version, tenant, priority, merging parameters."""

    family: str
    model: str
    version: str
    tenant: str = "-"
    priority: int = DEFAULT_PRIORITY
    digest: str = "-"

    @property
    def id(self) -> str:
        """The group as one readable word; `Group.parse` is its inverse."""
        return _joined(
            self.family,
            self.model,
            self.version,
            self.tenant,
            str(self.priority),
            self.digest,
        )

    @classmethod
    def parse(cls, group_id: str) -> Group:
        """Read a group's id. Raises ValueError when it is none."""
        family, model, version, tenant, priority, digest = map(unquote, group_id.split("/"))
        return cls(family, model, version, tenant, int(priority), digest)

    @property
    def queue_key(self) -> str:
        """The Redis list of the family's Celery queue that this priority's tickets wait in."""
        step = (
            0 if self.priority < DEFAULT_PRIORITY else 3 if self.priority == DEFAULT_PRIORITY else 6
        )
        return f"{self.family}{_KOMBU_SEPARATOR}{step}" if step else self.family


@functools.lru_cache(maxsize=4096)
def _joined(*parts: str) -> str:
    return "/".join(quote(part, safe="") for part in parts)


def digest(parameters: Mapping[str, Any]) -> str:
    """A short name for the parameters that keep jobs apart; `-` for none."""
    if not parameters:
        return "-"
    text = json.dumps(parameters, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
