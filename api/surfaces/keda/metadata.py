"""What a ScaledObject's trigger says: which family, and what is asked for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ....jobs.scaling import Policy
from ....protocol.errors import InvalidRequest
from ....protocol.nearest import meant
from ....tasks.base import FAMILIES

#: The policy's fields by their names in metadata, with the least that each may be.
_NUMBERS: dict[str, tuple[str, float, type[int] | type[float]]] = {
    "targetWaitSeconds": ("target_wait_s", 1, float),
    "bulkTargetWaitSeconds": ("bulk_target_wait_s", 1, float),
    "startSeconds": ("start_s", 0, float),
    "scaleDownSeconds": ("down_after_s", 1, float),
    "minWorkers": ("min_workers", 0, int),
    "maxWorkers": ("max_workers", 0, int),
}

#: An API key: KEDA fills in the second from the environment of what it scales, as from a secret.
_KEYS = ("apiKey", "apiKeyFromEnv")

#: KEDA's own, which it hands on.
_OTHERS = frozenset({"scalerAddress", "enableTLS", "unsafeSsl", "tlsCertFile", "metricType"})

_KNOWN = ("family", *_NUMBERS, *_KEYS, *sorted(_OTHERS))


@dataclass(frozen=True, slots=True)
class Trigger:
    """What a trigger asks for."""

    family: str
    policy: Policy
    #: "" where it has none.
    api_key: str


def read_trigger(metadata: Mapping[str, str], policy: Policy) -> Trigger:
    """Read a trigger's metadata; what it leaves out is as in a policy. Raises InvalidRequest."""
    for name in metadata:
        if name not in _KNOWN:
            raise InvalidRequest(f"metadata has an unknown field {name!r}{meant(name, _KNOWN)}")
    family = metadata.get("family", "")
    if family not in FAMILIES:
        raise InvalidRequest(f"metadata.family is one of {', '.join(FAMILIES)}, not {family!r}")
    numbers: dict[str, Any] = {
        field: _number(name, metadata[name], least, kind)
        for name, (field, least, kind) in _NUMBERS.items()
        if name in metadata
    }
    found = replace(policy, **numbers)
    if 0 < found.max_workers < found.min_workers:
        raise InvalidRequest("metadata.maxWorkers is less than minWorkers")
    key = next((metadata[name] for name in _KEYS if metadata.get(name)), "")
    return Trigger(family, found, key)


def _number(name: str, text: str, least: float, kind: type[int] | type[float]) -> float:
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and least <= value <= 1e9):
        whole = "a whole number" if kind is int else "a number"
        raise InvalidRequest(f"metadata.{name} is {whole} from {least:g} on, not {text[:50]!r}")
    return value
