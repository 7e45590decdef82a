"""What can be known of a fleet from here, asked for once and judged elsewhere."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ... import __version__
from ...jobs.fleet import FleetView
from ...jobs.fleet_views import GroupView
from .parties import Party

#: Packages whose versions decide what a model answers, or how jobs travel.
_PACKAGES = ("torch", "transformers", "onnxruntime", "openvino", "celery", "kombu", "redis")


@dataclass(frozen=True, slots=True)
class Latency:
    """How long many small calls took, in ms."""

    p50_ms: float
    p99_ms: float

    @classmethod
    def of(cls, took_s: Sequence[float]) -> Latency:
        """From seconds a call."""
        order = sorted(took_s)
        pick = [1000 * order[min(len(order) - 1, int(len(order) * q))] for q in (0.5, 0.99)]
        return cls(round(pick[0], 3), round(pick[1], 3))

    def __str__(self) -> str:
        """Both numbers."""
        return f"p50 {self.p50_ms:.1f} ms, p99 {self.p99_ms:.1f} ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisFacts:
    """What Redis says of itself."""

    #: Families whose own it is; "" for home.
    name: str = ""
    #: Where it is, without a password.
    where: str
    info: Mapping[str, Any]
    #: None where CONFIG is refused.
    config: Mapping[str, str] | None
    latency: Latency
    #: Seconds that this machine's clock is ahead of its.
    ahead_s: float
    #: Open and allowed file descriptors, where it runs on this machine.
    descriptors: tuple[int, int] | None = None
    #: Ms after which its sentinels call it down; None where it has none, or none says.
    down_after_ms: int | None = None
    #: Replicas that must have what was accepted, by the settings here.
    min_replicas: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """What the blob store that this machine's settings name is like."""

    name: str
    #: What the APIs call theirs; "" while none has shown itself.
    fleets_name: str
    #: Whether the fleet's mark is in it; None where there is none.
    is_fleets: bool | None
    #: Why it cannot be written or read; "" when it can.
    fault: str = ""
    latency: Mapping[str, Latency] = field(default_factory=dict)
    #: Names that other fleets left in it.
    strangers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiFacts:
    """What the API at WHERRY_URL says."""

    url: str
    #: Why it says nothing; "" when it answers.
    fault: str = ""
    version: str = ""
    reasons: tuple[str, ...] = ()
    #: Ids of the API processes that it sees in its Redis; None where a key is asked for.
    apis: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """Room on a disk."""

    what: str
    free: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetFacts:
    """What the queue says of the fleet."""

    view: FleetView
    parties: tuple[Party, ...]
    #: What APIs declare, by `Group.model_id`.
    declared: frozenset[str]
    groups: tuple[GroupView, ...]
    dead: int
    webhooks_failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All of it; what could not be asked is None, and `fault` says why."""

    versions: Mapping[str, str]
    key_prefix: str
    lease_ttl_s: float
    api: ApiFacts
    disks: tuple[Disk, ...] = ()
    #: Why Redis says nothing.
    fault: str = ""
    redis: RedisFacts | None = None
    #: Those that families have of their own; and why some say nothing, by their families.
    family_redis: tuple[RedisFacts, ...] = ()
    away: Mapping[str, str] = field(default_factory=dict)
    fleet: FleetFacts | None = None
    store: StoreFacts | None = None


def versions() -> dict[str, str]:
    """Ours, and of what is installed here; nothing is imported for it."""
    found = {"wherry": __version__, "python": platform.python_version(), "os": sys.platform}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = ""
    return found
