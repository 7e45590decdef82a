"""One fleet in several states, in short turns: what a state costs, with an interval for it.

Each process of the fleet reads `switches/sitecustomize.py`, and is switched while it runs. A round
is a turn of each state, every other round in reverse, and a ratio is of one round. Of all rounds
the pseudomedian is told (Hodges and Lehmann 1963), and where it lies with 95 % certainty, by
Wilcoxon's signed ranks: some rounds in which the machine did something else count little.
CPU is read in nanoseconds of each process' clock, all its threads in it.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from . import load
from .bulk import stack
from .start import processes

_HERE = Path(__file__).parents[1]
_SWITCHES = Path(__file__).parent / "switches"

#: Processes as they are told; whatever else runs counts for none of them.
PROCESSES = ("api", "redis", "worker")

#: Those that are switched.
_SWITCHED = ("api", "worker")

#: Seconds that they may take for it.
_PATIENCE_S = 30.0


class Ratio(NamedTuple):
    """A pseudomedian of rounds, and the bounds within which it is by 95 %."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, mine: Sequence[float], first: Sequence[float]) -> Ratio:
        """Of what is mine to what is the first's, round by round."""
        found = [math.log(a / b) for a, b in zip(mine, first, strict=True)]
        count = len(found)
        pairs = itertools.combinations_with_replacement(found, 2)
        means = sorted((one + other) / 2 for one, other in pairs)
        spread = math.sqrt(count * (count + 1) * (2 * count + 1) / 24)
        aside = max(0, int(len(means) / 2 - 1.96 * spread))
        picked = means[len(means) // 2], means[aside], means[len(means) - 1 - aside]
        return cls(*map(math.exp, picked))

    def __str__(self) -> str:
        """All three."""
        return f"{self.median:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass
class Seen:
    """What one state's turns came to, a value a round."""

    rates: list[float] = field(default_factory=list)
    #: µs of CPU a request, by process.
    cpu_us: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @property
    def all_cpu_us(self) -> list[float]:
        """Of all processes together."""
        return [sum(each) for each in zip(*self.cpu_us.values(), strict=True)]


class Switched:
    """A fleet that can be switched: the API and a worker, by a file."""

    def __init__(self, url: str, root: int, file: Path) -> None:
        self.url, self._file, self._turn = url, file, 0
        self._pids: dict[str, list[int]] = defaultdict(list)
        for pid, service in processes(root).items():
            self._pids[service.partition("-")[0]].append(pid)

    def become(self, state: str) -> None:
        """Switch all processes, and wait until they are; what was open before is done then."""
        self._turn += 1
        told = f"{self._turn} {state}"
        new = self._file.with_suffix(".new")
        new.write_text(told)
        new.replace(self._file)
        deadline = time.monotonic() + _PATIENCE_S
        for pid in (pid for name in _SWITCHED for pid in self._pids[name]):
            while not self._is(pid, told):
                if time.monotonic() > deadline:
                    raise SystemExit(f"process {pid} has not become {state!r}")
                time.sleep(0.005)

    def _is(self, pid: int, told: str) -> bool:
        with contextlib.suppress(OSError):
            return self._file.with_name(str(pid)).read_text() == told
        return False

    def cpu_ns(self) -> Mapping[str, int]:
        """CPU so far, by process."""
        return {
            name: sum(time.clock_gettime_ns(_clock(pid)) for pid in self._pids[name])
            for name in PROCESSES
        }

    def turn(self, seen: Seen, state: str, requests: Sequence[load.Request], clients: int) -> None:
        """Send the requests in a state. What it leaves to be done is done in its turn."""
        self.become(state)
        before = self.cpu_ns()
        rate = load.run(self.url, requests, clients).rate
        self.become("plain")
        after = self.cpu_ns()
        seen.rates.append(rate)
        for name in PROCESSES:
            seen.cpu_us[name].append((after[name] - before[name]) / len(requests) / 1000)


def _clock(pid: int) -> int:
    """The kernel's number for a process' CPU clock: see clock_getcpuclockid(3)."""
    return (~pid << 3) | 2


@contextlib.contextmanager
def switched(folder: Path, **env: str) -> Iterator[Switched]:
    """A fleet of this checkout, up while the block lasts."""
    told = folder / "switch" / "state"
    told.parent.mkdir(parents=True)
    started = stack(
        _HERE,
        folder / "fleet",
        env={"PYTHONPATH": str(_SWITCHES), "WHERRY_BENCH_SWITCH": str(told), **env},
    )
    with started as (url, root):
        yield Switched(url, root, told)


def in_turn(
    states: Sequence[str], rounds: int, turn: Callable[[str, Seen], None]
) -> dict[str, Seen]:
    """What each state came to; a round more is played first, and not counted."""
    for state in states:
        turn(state, Seen())
    seen = {state: Seen() for state in states}
    for number in range(rounds):
        for state in states[:: -1 if number % 2 else 1]:
            turn(state, seen[state])
    return seen


def rows(seen: Mapping[str, Seen], **about: object) -> list[dict[str, object]]:
    """A row a state: medians of each process, ratios to the first state's."""
    first = next(iter(seen.values()))
    return [
        {
            **about,
            "state": state,
            "rate_ratio": str(Ratio.of(each.rates, first.rates)),
            "cpu_ratio": str(Ratio.of(each.all_cpu_us, first.all_cpu_us)),
            **{
                f"{name}_cpu_us": f"{_median(each.cpu_us[name]):.1f},"
                f" x {Ratio.of(each.cpu_us[name], first.cpu_us[name])}"
                for name in PROCESSES
            },
        }
        for state, each in seen.items()
    ]


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]
