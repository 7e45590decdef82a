"""What each process of the fleet says of itself: an operator sees which one is different."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable, Mapping
from typing import Any

from ..tasks.catalog import ModelDeclaration
from . import queue_format
from .group import Group
from .settings import JobsSettings

#: Settings that all processes of a fleet should have alike. None of them is secret.
SHARED = (
    "result_ttl_s",
    "delivered_ttl_s",
    "kept_requests_bytes",
    "kept_requests_s",
    "compact_records",
    "stream_ttl_s",
    "inline_max_bytes",
    "max_waiting",
    "interactive_weight",
    "bulk_weight",
    "max_attempts",
    "lease_ttl_s",
)

#: Leases without a word from a process, after which it counts as gone.
LEASES = 3


def about(settings: JobsSettings) -> dict[str, object]:
    """Version, queue format, place, own clock, and shared settings that are not the defaults."""
    return {
        **queue_format.OURS.info(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "settings": unlike_default(settings),
        "seen_at_ms": int(time.time() * 1000),
    }


def is_silent(said: Mapping[str, Any], now_ms: float, settings: JobsSettings) -> bool:
    """Whether a process that says each moment that it lives has not done so for long."""
    return now_ms - int(said.get("seen_at_ms", 0)) > LEASES * 1000 * settings.lease_ttl_s


def unlike_default(settings: JobsSettings) -> dict[str, object]:
    """The shared settings that were set to something else than their defaults."""
    known = {name: getattr(settings, name) for name in SHARED}
    return {n: v for n, v in known.items() if v != JobsSettings.model_fields[n].default}


def digests(declared: Iterable[ModelDeclaration]) -> dict[str, str]:
    """A word for each model's declaration, by `Group.model_id`: two that differ, differ here."""
    return {Group(m.family, m.name, m.version).model_id: m.digest for m in declared}
