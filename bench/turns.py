"""`python -m bench.turns`: what serving the fuller of a flow's groups first would bring, simulated.

Clients ask for one of some models each, at random, and again once they are answered. A device runs
a batch at a time, each as long, whatever its rows; the next is claimed when one begins. Groups take
turns by age; or the one with most jobs goes first, unless one has waited for so many batches.
"""

from __future__ import annotations

import random
import statistics
from dataclasses import dataclass, field
from itertools import count

from rich.console import Console
from rich.table import Table

_CLIENTS, _MODELS, _ROWS, _BATCHES = 64, 30, 32, 20_000


@dataclass
class Fleet:
    """What waits, by model, each job as the batch time at which it came."""

    weights: list[float]
    #: Batch times after which age goes before number; 0: always.
    patience: float
    random: random.Random = field(default_factory=lambda: random.Random(1))  # not for secrets
    waiting: list[list[int]] = field(default_factory=lambda: [[] for _ in range(_MODELS)])

    def ask(self, jobs: int, now: int) -> None:
        """Let so many clients ask."""
        for model in self.random.choices(range(_MODELS), self.weights, k=jobs):
            self.waiting[model].append(now)

    def claim(self, now: int) -> list[int]:
        """The next batch."""
        some = [jobs for jobs in self.waiting if jobs]
        if not some:
            return []
        due = min(some, key=lambda jobs: jobs[0])
        if now - due[0] < self.patience:
            due = max(some, key=lambda jobs: (len(jobs), -jobs[0]))
        batch = due[:_ROWS]
        del due[:_ROWS]
        return batch


def _simulate(skew: float, patience: float) -> tuple[str, ...]:
    fleet = Fleet([1 / (number + 1) ** skew for number in range(_MODELS)], patience)
    fleet.ask(_CLIENTS, 0)
    sizes: list[int] = []
    waits: list[int] = []
    ready = fleet.claim(0)
    for now in count():
        if len(sizes) == _BATCHES:
            break
        running, ready = ready, fleet.claim(now)
        sizes.append(len(running))
        waits += [now + 1 - came for came in running]
        fleet.ask(len(running), now + 1)
    p99 = statistics.quantiles(waits, n=100)[-1]
    return (
        f"{statistics.mean(sizes):.2f}",
        f"{statistics.mean(waits):.0f}",
        f"{p99:.0f}",
        f"{max(waits)}",
    )


def main() -> None:
    """Simulate and print."""
    table = Table("models are asked for", "who goes first", "rows a batch", "mean", "p99", "max")
    for skew, how in ((0.0, "alike"), (1.0, "as words are (Zipf)")):
        for patience in (0, 20, 40, 10**9):
            rule = f"the fuller, up to {patience} batch times" if patience else "the oldest"
            rule = "the fuller" if patience == 10**9 else rule
            table.add_row(how, rule, *_simulate(skew, patience))
    table.caption = "waits in batch times"
    Console(width=max(Console().width, 110)).print(table)


if __name__ == "__main__":
    main()
