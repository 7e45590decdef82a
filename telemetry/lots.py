"""What is not recorded, decided before anything is made of it: no attributes, no ids, no context.

OpenTelemetry's SDK decides as well as it can be told: after a trace's id, a context and attributes
were made. Of a hundred requests ninety-nine may be passed over, and these must cost next to
nothing. So its usual samplers are asked here first, by their rule; what others are for is theirs.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

from .trace_context import TRACEPARENT, TRACESTATE, TraceContext
from .unrecorded import UnrecordedSpan

_PARENT_BASED = "parentbased_"

#: Shares that samplers of OTEL_TRACES_SAMPLER record of what begins here; None: by its argument.
_SHARES = {"always_on": 1.0, "always_off": 0.0, "traceidratio": None}


class Lots(Protocol):
    """Decides what nobody records."""

    def unrecorded(self, carried: Mapping[str, str]) -> UnrecordedSpan | None:
        """The span of what came with these headers, if it is plain that nobody records it."""


class DrawnIds(RandomIdGenerator):
    """Ids of traces for the SDK: one that was drawn to be recorded is the next one's."""

    def __init__(self) -> None:
        self._of_thread = threading.local()

    def keep(self, trace_id: int) -> None:
        """Have the next trace that this thread begins be this one."""
        self._of_thread.kept = trace_id

    def generate_trace_id(self) -> int:
        """As the SDK asks."""
        kept: int = vars(self._of_thread).pop("kept", 0)
        return kept or super().generate_trace_id()


@dataclass(slots=True)
class UsualLots:
    """Of OpenTelemetry's own samplers, as the environment names them."""

    #: Share of what begins here that is recorded.
    share: float
    #: Whether what whoever called decided holds.
    heeds_caller: bool
    ids: DrawnIds
    _bound: int = field(init=False)

    def __post_init__(self) -> None:
        self._bound = TraceIdRatioBased.get_bound_for_rate(self.share)

    def unrecorded(self, carried: Mapping[str, str]) -> UnrecordedSpan | None:
        """None too where it is not plain: then the SDK decides."""
        if carried:
            return self._as_told(carried) if self.heeds_caller else None
        trace_id = random.getrandbits(128)  # not for secrets
        if trace_id & TraceIdRatioBased.TRACE_ID_LIMIT >= self._bound:
            return UnrecordedSpan(trace_id or 1)
        self.ids.keep(trace_id)
        return None

    def _as_told(self, carried: Mapping[str, str]) -> UnrecordedSpan | None:
        parent = TraceContext.read(carried.get(TRACEPARENT, ""))
        if parent is None or parent.sampled:
            return None
        parent = TraceContext(parent.traceparent, carried.get(TRACESTATE, ""))
        return UnrecordedSpan(int(parent.trace_id, 16), parent)


def usual_lots(environment: Mapping[str, str], ids: DrawnIds) -> UsualLots | None:
    """Those of the sampler that the environment names; None for one that is no usual one."""
    named = environment.get("OTEL_TRACES_SAMPLER", "").lower() or f"{_PARENT_BASED}always_on"
    kind = named.removeprefix(_PARENT_BASED)
    if kind not in _SHARES:
        return None
    share = _SHARES[kind]
    try:
        share = float(environment.get("OTEL_TRACES_SAMPLER_ARG", "")) if share is None else share
    except ValueError:  # which the SDK warns of
        return None
    return UsualLots(share, kind != named, ids) if 0 <= share <= 1 else None
