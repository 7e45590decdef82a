"""What the chaos tests did and saw: one row a fault, one table for all."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

HEADINGS = ("fault", "injected", "jobs", "lost", "duplicated", "recovery p50 s", "recovery max s")


def is_full() -> bool:
    """Whether this is the long run, whose figures are quoted."""
    return os.environ.get("WHERRY_CHAOS") == "full"


@dataclass(slots=True)
class Row:
    """One kind of fault, over all tests that inject it."""

    fault: str
    injected: int = 0
    jobs: int = 0
    #: Accepted jobs that never got an answer.
    lost: int = 0
    #: Answers beyond the first that became visible.
    duplicated: int = 0
    #: Seconds from each fault until what it hit went on.
    recoveries_s: list[float] = field(default_factory=list)

    def cells(self) -> tuple[str, ...]:
        """The row as the table shows it."""
        found = self.recoveries_s
        half = f"{statistics.median(found):.2f}" if found else "-"
        most = f"{max(found):.2f}" if found else "-"
        numbers = (self.injected, self.jobs, self.lost, self.duplicated)
        return (self.fault, *(f"{number:,}" for number in numbers), half, most)


@dataclass(slots=True)
class Ledger:
    """All rows of a run, in the order in which their faults were first recorded.

    A test takes the fixture `faults` and calls `faults.record(...)` once at its end.
    """

    seed: int
    rows: dict[str, Row] = field(default_factory=dict)

    def record(
        self,
        *,
        fault: str,
        injected: int,
        jobs: int,
        lost: int,
        duplicated: int,
        recoveries_s: Sequence[float] = (),
    ) -> None:
        """Add to a fault's row; then fail if anything was lost or seen twice."""
        row = self.rows.setdefault(fault, Row(fault))
        row.injected += injected
        row.jobs += jobs
        row.lost += lost
        row.duplicated += duplicated
        row.recoveries_s += recoveries_s
        assert (lost, duplicated) == (0, 0), f"{fault}: {lost} lost, {duplicated} duplicated"

    def lines(self) -> list[str]:
        """The table as Markdown."""
        table = [HEADINGS, *(row.cells() for row in self.rows.values())]
        widths = [max(len(cells[i]) for cells in table) for i in range(len(HEADINGS))]
        rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
        return [
            _line(HEADINGS, widths),
            _line(rule, widths),
            *(_line(r, widths) for r in table[1:]),
        ]

    def as_json(self) -> str:
        """Seed and rows, every recovery time with them."""
        rows = [asdict(row) for row in self.rows.values()]
        return json.dumps({"seed": self.seed, "faults": rows}, indent=1)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
    return "| " + " | ".join(padded) + " |"
