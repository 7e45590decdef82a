"""`python -m bench.scaling`: writes the table and the picture of docs/scaling.md. Takes minutes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wherry.jobs.scaling import Policy

from .day import DAYS, ORDINARY, Arrival, Day, arrivals
from .fleet import LOAD_S, START_S, Fleet, Outcome
from .picture import picture
from .scalers import Fixed, ListLength, Ours, Scaler

#: Dollars of a pod for an hour.
PRICE = 1.80

#: What is asked for: seconds that an interactive job may wait, and a bulk one.
POLICY = Policy(
    target_wait_s=30, bulk_target_wait_s=4 * 3600, start_s=START_S, down_after_s=300, max_workers=20
)

#: Share of the jobs that may wait for longer with a fleet that is fixed for the peak.
_OVER = 0.001

DOCS = Path(__file__).parents[2] / "docs"
BEGIN, END = "<!-- made by `make scaling-simulation` -->", "<!-- to here -->"

_TITLES = (
    "how many workers",
    "pod hours",
    "cost",
    "wait p50",
    "p95",
    "p99",
    "over 30 s",
    "bulk done after",
    "most workers",
)


@dataclass(frozen=True, slots=True)
class Result:
    """A scaler's day."""

    name: str
    outcome: Outcome

    @property
    def cost(self) -> float:
        """Dollars."""
        return self.outcome.worker_s / 3600 * PRICE

    def wait(self, share: float) -> float:
        """Seconds that this share of the interactive jobs waited at most."""
        waits = sorted(self.outcome.waits)
        return waits[min(len(waits) - 1, int(share * len(waits)))]

    @property
    def over(self) -> float:
        """Share of the interactive jobs that waited for longer than they may."""
        waits = self.outcome.waits
        return sum(wait > POLICY.target_wait_s for wait in waits) / len(waits)

    @property
    def bulk_h(self) -> float:
        """Hours until the last bulk job began."""
        return max(self.outcome.bulk_waits, default=0.0) / 3600

    @property
    def most(self) -> int:
        """The most workers at a time."""
        return max(count for _, count in self.outcome.workers)


def others() -> Iterator[tuple[Scaler, int]]:
    """Ways by the length of the list, and with how many workers each begins."""
    for jobs in (5, 20, 100):
        yield ListLength(jobs, least=1, most=POLICY.max_workers), 1


def ours(believed: float = 1.0, name: str = "predicted seconds (ours)") -> Ours:
    """Our way, its predictions multiplied."""
    return Ours(POLICY, LOAD_S, believed, name)


def ran(scaler: Scaler, jobs: Sequence[Arrival], workers: int = 0) -> Result:
    """A day by one way."""
    return Result(scaler.name, Fleet(scaler, jobs, workers).run())


def fixed(jobs: Sequence[Arrival]) -> Result:
    """The smallest fleet of which the peak asks no more."""
    for count in range(1, POLICY.max_workers + 1):
        # A fleet that is far too small would queue for days.
        if sum(job.model.seconds(job.rows) for job in jobs if not job.bulk) > count * 60_000:
            continue
        found = ran(Fixed(count), jobs, count)
        if found.over <= _OVER:
            return found
    raise ValueError("no fleet is large enough")


def simulated(day: Day) -> list[Result]:
    """A day by each way."""
    jobs = arrivals(day)
    found = [fixed(jobs)]
    found += [ran(scaler, jobs, workers) for scaler, workers in others()]
    return [*found, ran(ours(), jobs)]


def mistaken() -> list[Result]:
    """An ordinary day, by predictions that go on being wrong."""
    jobs = arrivals(ORDINARY)
    return [
        ran(ours(1 / 3, "ours, jobs take three times what is predicted"), jobs),
        ran(ours(3.0, "ours, jobs take a third of what is predicted"), jobs),
    ]


def table(results: Sequence[Result]) -> list[str]:
    """Lines of Markdown."""
    lines = [f"| {' | '.join(_TITLES)} |", f"|---|{'---:|' * (len(_TITLES) - 1)}"]
    for each in results:
        cells = (
            each.name,
            f"{each.outcome.worker_s / 3600:.1f}",
            f"${each.cost:.0f}",
            *(f"{each.wait(share):.1f} s" for share in (0.5, 0.95, 0.99)),
            f"{each.over:.2%}",
            f"{each.bulk_h:.1f} h",
            str(each.most),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def page(days: Sequence[tuple[Day, Sequence[Result]]], wrong: Sequence[Result]) -> str:
    """What stands between the marks of the page."""
    lines = []
    for day, results in days:
        work_h = results[-1].outcome.work_s / 3600
        lines += ["", f"**{day.name.capitalize()}** ({work_h:.0f} hours of device time):", ""]
        lines += table(results)
    lines += ["", "**Predictions that go on being wrong**, on the ordinary day:", ""]
    return "\n".join([*lines, *table(wrong), ""])


def main() -> None:
    """Write both."""
    days = []
    for day in DAYS:
        sys.stderr.write(f"{day.name}\n")
        days.append((day, simulated(day)))
    path = DOCS / "scaling.md"
    before, _, rest = path.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n{page(days, mistaken())}\n{END}{after}")
    first = {each.name: each.outcome.workers for each in days[0][1]}
    (DOCS / "scaling.svg").write_text(picture(first))


if __name__ == "__main__":
    main()
