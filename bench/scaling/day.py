"""Days of arrivals, made from a seed: people by day, bursts, and a bulk run at night."""

from __future__ import annotations

import bisect
import itertools
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


@dataclass(frozen=True, slots=True)
class Model:
    """What a batch takes: a part of its own, and one a row."""

    name: str
    batch_s: float
    row_s: float
    most: int

    def seconds(self, rows: int) -> float:
        """Device seconds of a batch."""
        return self.batch_s + rows * self.row_s


#: A detector, a captioner, and a model that reads whole films.
MODELS = (
    Model("detect", 0.10, 0.03, 32),
    Model("caption", 0.30, 0.25, 8),
    Model("film", 1.00, 7.00, 1),
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A job."""

    at_s: float
    model: Model
    rows: int
    bulk: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What a day is like."""

    name: str = "an ordinary day"
    #: Jobs a second at the busiest time.
    peak_per_s: float = 9.0
    #: Shares of the models before noon and after.
    before_noon: Sequence[float] = (0.78, 0.20, 0.02)
    after_noon: Sequence[float] = (0.78, 0.20, 0.02)
    bursts: int = 8
    bulk_jobs: int = 4000
    bulk_rows: int = 32
    from_h: float = 0.0
    to_h: float = 24.0


def arrivals(day: Day, seed: int = 20) -> list[Arrival]:
    """A day's jobs in the order in which they come."""
    chance = random.Random(seed)  # not secret, but the same each time
    found = [*_people(day, chance), *_bursts(day, chance), *_bulk(day)]
    found = [each for each in found if day.from_h * HOUR_S <= each.at_s < day.to_h * HOUR_S]
    return sorted(found, key=lambda each: each.at_s)


def _activity(at_s: float) -> float:
    """How busy the people are: asleep at night, a dip at noon."""
    hour = at_s / HOUR_S
    morning, evening = math.exp(-(((hour - 10.5) / 2.2) ** 2)), math.exp(-(((hour - 17) / 3) ** 2))
    return min(1.0, 0.85 * morning + evening) if 6 <= hour < 23.5 else 0.0


def _model(day: Day, at_s: float, chance: random.Random) -> Model:
    shares = day.before_noon if at_s < DAY_S / 2 else day.after_noon
    bounds = list(itertools.accumulate(shares))
    return MODELS[min(bisect.bisect(bounds, chance.random() * bounds[-1]), len(MODELS) - 1)]


def _people(day: Day, chance: random.Random) -> Iterator[Arrival]:
    at_s = day.from_h * HOUR_S
    while (at_s := at_s + chance.expovariate(day.peak_per_s)) < day.to_h * HOUR_S:
        if chance.random() < _activity(at_s):
            yield Arrival(at_s, _model(day, at_s, chance), 1)


def _bursts(day: Day, chance: random.Random) -> Iterator[Arrival]:
    """Somebody sends some hundred jobs within a minute."""
    for _ in range(day.bursts):
        began_s = chance.uniform(7, 22) * HOUR_S
        model = MODELS[0] if chance.random() < 0.5 else MODELS[1]
        for _ in range(chance.randint(300, 900)):
            yield Arrival(began_s + chance.uniform(0, 60), model, 1)


def _bulk(day: Day) -> Iterator[Arrival]:
    """A run over a data set, at one in the morning."""
    for number in range(day.bulk_jobs):
        yield Arrival(HOUR_S + number * 0.01, MODELS[0], day.bulk_rows, bulk=True)


ORDINARY = Day()

#: What the page shows.
DAYS = (
    ORDINARY,
    Day(name="after noon five times as many films", after_noon=(0.70, 0.20, 0.10)),
    Day(
        name="one model alone, whose jobs are all alike",
        before_noon=(1.0, 0.0, 0.0),
        after_noon=(1.0, 0.0, 0.0),
        peak_per_s=15.0,
    ),
)
