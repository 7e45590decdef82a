"""When a waiting job should start, from what waits beside it and how fast its family works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: Milliseconds without the end of any batch, while jobs wait, after which nobody knows; so many
#: times the usual time between two ends are granted besides.
_SILENCE_MS, _SILENCE_BATCHES = 10_000, 4


@dataclass(frozen=True, slots=True)
class Flow:
    """A tenant's jobs of one lane: their weight, and how many wait."""

    weight: float
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What a family did while it had work, and what waits for it. Times in ms."""

    jobs: float = 0
    batches: float = 0
    busy_ms: float = 0
    #: When its last batch ended, and when jobs began to wait without a break.
    ended_at_ms: int = 0
    waits_since_ms: int = 0
    flows: Mapping[str, Flow] = field(default_factory=dict)

    def start_ms(self, ahead: int, flow: str, now_ms: int) -> int | None:
        """When the job with so many ahead of it in its flow starts; None while nothing ends.

        While a flow is given k jobs, any other that waits is given k by the ratio of their weights,
        as long as it has any (generalized processor sharing: Parekh & Gallager 1993). Jobs count
        alike, whatever their cost, and those that others may yet submit do not count.
        """
        if self.jobs <= 0 or self.busy_ms <= 0:
            return None
        quiet_since_ms = max(self.ended_at_ms, self.waits_since_ms)
        usual_ms = self.busy_ms / self.batches
        if now_ms - quiet_since_ms > _SILENCE_MS + _SILENCE_BATCHES * usual_ms:
            return None
        weight = self.flows[flow].weight if flow in self.flows else 1.0
        others = (
            min(other.waiting, other.weight * ahead / weight)
            for name, other in self.flows.items()
            if name != flow
        )
        served_ms = (ahead + sum(others)) * self.busy_ms / self.jobs
        return int(now_ms + max(served_ms, usual_ms / 2))
