"""`python -m bench.length_sizes`: which lengths should share a batch, by simulation.

One device writes batches of 32 at most; a step takes `fixed` and `each` a row, and rows that have
ended leave once half have, as in tasks/backends/transformers/generation/row_loop.py. Rows come at
random (Poisson), at a share of what full batches of rows of one mean length would bear; the group
of the row that waits longest is next. Told are the mean wait, in the time of a step of one row, of
all rows and of those of 32 tokens and less, and rows a batch.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from wherry.tasks.base import size_class

_MOST, _ROWS, _SHORT = 32, 4000, 32

_GROUPS: dict[str, Callable[[int], int]] = {
    "all together": lambda _: 0,
    "powers of four": lambda length: -(-max(0, length - 1).bit_length() // 2),
    "up to 64, then powers of four": size_class,
    "up to 256, then powers of four": lambda length: max(4, size_class(length)),
    "each length apart": lambda length: length,
}
_LENGTHS: dict[str, Callable[[random.Random], int]] = {
    "1 to 256": lambda chance: chance.randint(1, 256),
    "8, or 2000 (one in ten)": lambda chance: 2000 if chance.random() < 0.1 else 8,
    "8 to 2048, evenly by logarithm": lambda chance: int(2 ** chance.uniform(3, 11)),
}
#: What a step takes: most of it whatever the rows, as a GPU; in proportion to them, as a CPU.
_DEVICES = {"GPU": (1.0, 0.05), "CPU": (0.2, 0.2)}


def main() -> None:
    """Simulate and print."""
    for load in (0.3, 0.6):
        table = Table("lengths", "in one batch", title=f"Load {load}: mean wait, short rows', rows")
        for device in _DEVICES:
            table.add_column(device, justify="right")
        for lengths, draw in _LENGTHS.items():
            for groups, group_of in _GROUPS.items():
                cells = (_simulate(group_of, draw, load, *steps) for steps in _DEVICES.values())
                table.add_row(
                    lengths, groups, *(f"{m:,.0f}  {s:,.0f}  {rows:.0f}" for m, s, rows in cells)
                )
        Console(width=max(Console().width, 120)).print(table)


def _simulate(
    group_of: Callable[[int], int],
    draw: Callable[[random.Random], int],
    load: float,
    fixed: float,
    each: float,
) -> tuple[float, float, float]:
    """Mean waits of all rows and of short ones, and rows a batch."""
    chance = random.Random(0)  # not for secrets
    mean = statistics.mean(draw(chance) for _ in range(_ROWS))
    per_step = load * _MOST / (mean * (fixed + each * _MOST))
    at, coming = 0.0, []
    for _ in range(_ROWS):
        at += chance.expovariate(per_step)
        coming.append((at, draw(chance)))
    now, batches, waits, short = 0.0, 0, [], []
    waiting: dict[int, list[tuple[float, int]]] = {}
    coming.reverse()
    while coming or waiting:
        if not waiting:
            now = max(now, coming[-1][0])
        while coming and coming[-1][0] <= now:
            waiting.setdefault(group_of(coming[-1][1]), []).append(coming.pop())
        due = min(waiting, key=lambda group: waiting[group][0][0])
        batch, waiting[due] = waiting[due][:_MOST], waiting[due][_MOST:]
        if not waiting[due]:
            del waiting[due]
        now += _takes([length for _, length in batch], fixed, each)
        batches += 1
        waits += [now - came for came, _ in batch]
        short += [now - came for came, length in batch if length <= _SHORT]
    return statistics.mean(waits), statistics.mean(short), len(waits) / batches


def _takes(lengths: list[int], fixed: float, each: float) -> float:
    """How long a batch takes."""
    carried, done, took = len(lengths), 0, 0.0
    for ended, length in enumerate(sorted(lengths), 1):
        took += (length - done) * (fixed + each * carried)
        done = length
        if 2 * (len(lengths) - ended) <= carried:
            carried = len(lengths) - ended
    return took


if __name__ == "__main__":
    main()
