"""Ways to say how many workers are wanted: a fixed fleet, the length of the list, and ours."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from wherry.jobs.demand import NOTHING, Costs
from wherry.jobs.scaling import FamilyDemand, Lane, Policy, ScalingMemory, plan


@dataclass(frozen=True, slots=True)
class LaneView:
    """What waits and runs of a model in a lane."""

    waiting: int = 0
    waiting_rows: int = 0
    running: int = 0
    running_rows: int = 0
    oldest_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What may be seen of the fleet."""

    at_s: float
    #: By model and whether it is the bulk lane.
    lanes: Mapping[tuple[str, bool], LaneView]
    costs: Mapping[str, Costs]
    most: Mapping[str, int]
    used: float
    workers: int
    busy: int


class Scaler(Protocol):
    """Says how many workers are wanted."""

    #: Whether it hears of a first job at once, rather than at its next look.
    is_told: bool
    #: Whether workers that run nothing are ended first.
    picks_idle: bool

    @property
    def name(self) -> str:
        """What the table calls it."""
        ...

    def wanted(self, view: View) -> int:
        """At a look."""
        ...


@dataclass
class Fixed:
    """So many, always."""

    count: int
    is_told: bool = False
    picks_idle: bool = False

    @property
    def name(self) -> str:
        return f"fixed: {self.count} workers"

    def wanted(self, view: View) -> int:  # noqa: ARG002 # it looks at nothing
        return self.count


@dataclass
class ListLength:
    """A worker for so many waiting jobs, held for five minutes as Kubernetes and KEDA do."""

    jobs: int
    least: int = 0
    most: int = 100
    held_s: float = 300.0
    is_told: bool = False
    picks_idle: bool = False
    _lately: deque[tuple[float, int]] = field(default_factory=deque)

    @property
    def name(self) -> str:
        return f"list length: a worker for {self.jobs} jobs"

    def wanted(self, view: View) -> int:
        waiting = sum(lane.waiting for lane in view.lanes.values())
        wanted = max(self.least, min(self.most, math.ceil(waiting / self.jobs)))
        self._lately.append((view.at_s, wanted))
        while self._lately[0][0] <= view.at_s - self.held_s:
            self._lately.popleft()
        return max(count for _, count in self._lately)


@dataclass
class Ours:
    """What the API asks."""

    policy: Policy
    load_s: float
    #: By what its predictions are wrong.
    believed: float = 1.0
    name: str = "predicted seconds (ours)"
    is_told: bool = True
    picks_idle: bool = True
    _memory: ScalingMemory = field(default_factory=ScalingMemory)

    def wanted(self, view: View) -> int:
        seen = FamilyDemand(
            at_s=1e9 + view.at_s,
            interactive=self._lane(view, bulk=False),
            bulk=self._lane(view, bulk=True),
            used=view.used,
            workers=view.workers,
            busy=view.busy,
            load_s=self.load_s,
        )
        found, self._memory = plan(seen, self.policy, self._memory)
        return found.workers

    def _lane(self, view: View, *, bulk: bool) -> Lane:
        lane = Lane()
        for (model, is_bulk), each in view.lanes.items():
            if is_bulk is not bulk:
                continue
            known, most = view.costs.get(model, Costs()), view.most[model]
            cost = replace(
                known, row_s={size: s * self.believed for size, s in known.row_s.items()}
            )
            lane = Lane(
                waiting=lane.waiting + each.waiting,
                running=lane.running + each.running,
                waits=lane.waits + cost.work(each.waiting, each.waiting_rows, most, 0.1),
                runs=lane.runs + cost.work(each.running, each.running_rows, most, 0.1),
                oldest_s=max(lane.oldest_s, each.oldest_s),
            )
        return lane if lane.jobs else Lane(waits=NOTHING)
