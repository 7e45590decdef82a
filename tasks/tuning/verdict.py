"""What tuning found of a model on a kind of device, as it is kept on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from .candidates import Contender

#: Of the files; another is made anew.
_FORMAT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A candidate, and what was seen of it."""

    candidate: Contender
    #: By the rows of a batch.
    rows_per_s: Mapping[int, float] = field(default_factory=dict)
    #: How far its answers were from those of the first: see `Apart`.
    difference: float = 0.0
    rows: int = 0
    first_changed: int = 0
    #: Why it is not used; "" for one that could be.
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Which candidate serves a model, why, and what was tried."""

    chosen: Contender
    why: str
    tried: tuple[Tried, ...] = ()
    #: Rows of a batch by which they were ranked; 0 where nothing was timed.
    size: int = 0
    tolerance: float = 0.0
    #: Seconds that it took, and that it might have taken.
    took_s: float = 0.0
    budget_s: float = 0.0
    #: Whether there was more to try than time.
    is_cut_short: bool = False
    #: Whether something went wrong that an operator should know.
    is_trouble: bool = False
    #: When it was made, in seconds since the epoch; 0 where that is not known.
    made_at: float = 0.0
    #: The folder of the fleet's own export, within that of the verdicts; "" for none.
    export: str = ""
    #: What it holds for: see `identity`.
    identity: Mapping[str, Any] = field(default_factory=dict)

    def written(self) -> str:
        """As a file has it."""
        return json.dumps({"format": _FORMAT, **asdict(self)}, indent=1)

    @classmethod
    def read(cls, text: str) -> Self:
        """From a file. Raises ValueError for what is none, or is of another version."""
        try:
            told = json.loads(text)
            if told.pop("format") != _FORMAT:
                raise ValueError("another version's")
            tried = tuple(_tried(each) for each in told.pop("tried"))
            return cls(chosen=Contender(**told.pop("chosen")), tried=tried, **told)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"no verdict: {error!r}") from None

    @property
    def note(self) -> str:
        """What an operator should know beside which backend it is; "" for nothing."""
        if self.is_trouble:
            return f"served by {self.chosen.name}: {self.why}"
        seen = self.of(self.chosen)
        if seen is None or not seen.rows or self.chosen.precision == "float32":
            return ""
        return (
            f"served by {self.chosen.name}: its answers move by {seen.difference:.2g} at most,"
            f" and the first label changed in {seen.first_changed} of {seen.rows} rows"
        )

    def of(self, candidate: Contender) -> Tried | None:
        """What was seen of a candidate."""
        return next((each for each in self.tried if each.candidate == candidate), None)


def _tried(told: Mapping[str, Any]) -> Tried:
    rates = {int(size): float(rate) for size, rate in told["rows_per_s"].items()}
    candidate = Contender(**told["candidate"])
    return Tried(**{**told, "candidate": candidate, "rows_per_s": rates})
