"""How many workers a family wants: from the seconds that its jobs will take, and the wait allowed.

Pure: what is seen, what is asked for and what was remembered go in, the number and what to remember
come out. The API asks it with what Redis says, `bench/scaling` with a simulated day.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass

from .call import Call
from .demand import FORGET_S, NOTHING, DeviceWork
from .keys import Keys
from .settings import JobsSettings

#: Share of its time that a worker is to compute while jobs go on coming: the rest is for chance.
_UTILIZATION = 0.9

#: How much of a worker may be wanted without one more being asked for. Kubernetes' autoscaler
#: lets a tenth pass, too.
_TOLERANCE = 0.1

#: Least share of the wait allowed in which late work is to be done: ever more workers do not help
#: who is late already.
_LEAST_TIME = 0.5

#: Pieces in which the last time is remembered.
_PIECES = 10

#: Seconds for which what was remembered is kept when nobody asks.
_REMEMBERED_S = 7200


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What an operator wants of a family."""

    #: Seconds that an interactive job may wait for its start, and a bulk one.
    target_wait_s: float = 30.0
    bulk_target_wait_s: float = 3600.0
    #: Seconds from asking for a worker to its process: a place, an image, a start.
    start_s: float = 30.0
    #: Seconds without need before a worker goes, and without work before the last one does.
    down_after_s: float = 300.0
    min_workers: int = 0
    #: 0: as many as are wanted.
    max_workers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """What a family's interactive jobs, or bulk ones, will take."""

    waiting: int = 0
    running: int = 0
    waits: DeviceWork = NOTHING
    runs: DeviceWork = NOTHING
    oldest_s: float = 0.0

    @property
    def jobs(self) -> int:
        """How many wait and run."""
        return self.waiting + self.running

    @property
    def work(self) -> DeviceWork:
        """What they will take."""
        return self.waits + self.runs


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyDemand:
    """A family at one instant."""

    at_s: float
    interactive: Lane = Lane()
    bulk: Lane = Lane()
    #: Worker seconds a second that interactive jobs took over the last minute.
    used: float = 0.0
    #: Workers that live, and those of them that run something.
    workers: int = 0
    busy: int = 0
    #: Seconds that a new worker's models take to load.
    load_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ScalingMemory:
    """What is remembered between two looks."""

    at_s: float = 0.0
    #: Worker seconds of interactive work at the last look, and how fast that grows.
    backlog_s: float = 0.0
    growth: float = 0.0
    #: The most workers wanted in each of the last pieces of time, by when it began.
    peaks: tuple[tuple[float, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingPlan:
    """How many workers are wanted, and why."""

    workers: int
    #: What is wanted for the work of now, as a fraction; before anything is held or bounded.
    needed: float
    #: Worker seconds a second that interactive jobs go on bringing.
    load: float
    #: Seconds from asking for a worker until it serves.
    start_s: float
    #: What decided: work, held (wanted lately), running (each runs something), min, max or idle.
    because: str


def plan(
    seen: FamilyDemand, policy: Policy, before: ScalingMemory
) -> tuple[ScalingPlan, ScalingMemory]:
    """Say how many workers a family wants, and what to remember of it."""
    growth = _growth(seen, before)
    load = max(0.0, seen.used + growth)
    start_s = policy.start_s + seen.load_s
    needed = _needed(seen, policy, load, start_s)
    now = math.ceil(needed - _TOLERANCE)
    if seen.interactive.jobs or seen.bulk.jobs:
        now = max(1, now)
    # To let a worker go that has to be started again costs what starting takes (ski rental).
    peaks = _peaks(before.peaks, seen.at_s, now, max(policy.down_after_s, start_s))
    held = max(count for _, count in peaks)
    wanted, because = now, "work" if now else "idle"
    for count, why in ((held, "held"), (seen.busy, "running"), (policy.min_workers, "min")):
        if count > wanted:
            wanted, because = count, why
    if policy.max_workers and wanted > policy.max_workers:
        wanted, because = policy.max_workers, "max"
    memory = ScalingMemory(seen.at_s, seen.interactive.work.worker_s, growth, peaks)
    found = ScalingPlan(workers=wanted, needed=needed, load=load, start_s=start_s, because=because)
    return found, memory


def _growth(seen: FamilyDemand, before: ScalingMemory) -> float:
    """How fast the backlog grows, over the time that `used` looks back: both are what comes."""
    passed_s = seen.at_s - before.at_s
    if before.at_s == 0 or passed_s > 10 * FORGET_S:
        return 0.0
    if passed_s <= 0:
        return before.growth
    now = (seen.interactive.work.worker_s - before.backlog_s) / passed_s
    kept = math.exp(-passed_s / FORGET_S)
    return before.growth * kept + now * (1 - kept)


def _needed(seen: FamilyDemand, policy: Policy, load: float, start_s: float) -> float:
    """Workers that what comes takes, and that what is there takes to be done in time.

    W workers do W x t in t seconds: so much as waits by now, and what comes meanwhile.
    """

    def within(start_s: float) -> float:
        rates = (
            # No more workers than there are batches can have one.
            min(
                lane.work.batches,
                lane.work.worker_s
                / max(target_s - lane.oldest_s - start_s, _LEAST_TIME * target_s),
            )
            for lane, target_s in (
                (seen.interactive, policy.target_wait_s),
                (seen.bulk, policy.bulk_target_wait_s),
            )
        )
        return load / _UTILIZATION + sum(rates)

    enough = within(0.0)
    if enough <= seen.workers:
        return enough
    return max(float(seen.workers), within(start_s))  # new ones have less time left


def _peaks(
    before: tuple[tuple[float, int], ...], at_s: float, count: int, window_s: float
) -> tuple[tuple[float, int], ...]:
    """The most of each piece of the last time, with one more look at the end."""
    piece_s = window_s / _PIECES
    began_s = math.floor(at_s / piece_s) * piece_s
    # A piece counts until all of it is past.
    kept = [(since, most) for since, most in before if at_s - window_s < since + piece_s <= at_s]
    latest = max((most for since, most in before if since + piece_s > at_s), default=0)
    return (*kept, (began_s, max(count, latest)))


def _key(family: str, policy: Policy, settings: JobsSettings) -> str:
    said = json.dumps(asdict(policy), sort_keys=True).encode()
    digest = hashlib.blake2b(said, digest_size=6).hexdigest()
    return Keys(settings.key_prefix).scaling(family, digest)


def recall(family: str, policy: Policy, settings: JobsSettings) -> Call[ScalingMemory]:
    """What is remembered of a family, by whichever API looked last with this policy."""
    return Call([("GET", _key(family, policy, settings))], parse=_read)


def remember(
    family: str, policy: Policy, memory: ScalingMemory, settings: JobsSettings
) -> Call[None]:
    """Remember it for the next look. Of two at once one is lost, which knew no more."""
    key, text = _key(family, policy, settings), json.dumps(asdict(memory))
    return Call([("SET", key, text, "EX", _REMEMBERED_S)], parse=lambda _: None)


def _read(reply: bytes | None) -> ScalingMemory:
    if reply is None:
        return ScalingMemory()
    try:
        told = json.loads(reply)
        peaks = tuple((float(since), int(most)) for since, most in told["peaks"])
        return ScalingMemory(
            float(told["at_s"]), float(told["backlog_s"]), float(told["growth"]), peaks
        )
    except (KeyError, TypeError, ValueError):  # of another version
        return ScalingMemory()
