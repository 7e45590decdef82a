"""A row's answer is its own: whether rows may be padded to share a forward, found by trying.

Some models answer otherwise when a row is padded: they take no mask, or one that a convolution, a
Fourier transform or a place counted from the first token does not heed. Their rows share forwards
with rows of the same length only; where rows of one length move each other too, each has its own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar, cast, get_args

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

#: Which rows share a forward.
Batching = Literal["padded", "equal-length", "one-by-one"]

#: What a model says to one row.
Values: TypeAlias = "Sequence[NDArray[Any]]"

#: How far numbers may move in company, in parts of the row's greatest.
TOLERANCE = 1e-3

#: Numbers below are as good as nothing: what moves them by a part of themselves is rounding.
_LEAST = 1e-2

#: Texts to try a model with: a usual one, a longer and a shorter one.
TEXTS: tuple[str, ...] = (
    "my name is ada and i live in london",
    "what is the capital of france, and how far is it from there to the sea in a slow red car",
    "hello you, how are you",
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Company:
    """Which rows of a model share forwards, and what was seen of it."""

    batching: Batching = "padded"
    #: How far an answer moved beside rows of other lengths, in parts of its greatest number.
    moved: float = 0.0
    #: How many times as long rows of three lengths take by themselves as padded together; 0 where
    #: nobody has measured.
    cost: float = 0.0
    #: Why nothing can be said of it, if so.
    trouble: str = ""

    @property
    def note(self) -> str:
        """What an operator should know; "" where rows share forwards freely."""
        if self.batching == "padded":
            return ""
        if self.trouble:
            return self.trouble
        if self.batching == "equal-length":
            told = "only rows of equal length share a forward"
        else:
            told = "each row has a forward of its own"
        if self.moved:
            told += f": beside others its answers move by {self.moved:.1%}"
        return f"{told}; three lengths take {self.cost:.1f} times as long" if self.cost else told


@dataclass(frozen=True, slots=True)
class Probe(Generic[T]):
    """Rows to try a model with, and how it answers them."""

    #: A usual row, a longer and a shorter one.
    rows: Sequence[T]
    #: Another row of the first one's length.
    twin: T
    #: Rows that are padded to share a forward -> what the model says to each.
    answer: Callable[[Sequence[T]], Sequence[Values]]
    tolerance: float = TOLERANCE

    def company(self) -> Company:
        """Compare rows alone with the same rows in company: four short forwards, and ten where an
        answer moves.
        """
        alone = [self.answer([row])[0] for row in self.rows]
        moved = max(map(distance, alone, self.answer(self.rows)))
        if moved <= self.tolerance:
            return Company()
        # Timed the second time: the first forward of a length takes longer.
        again, alone_s = self._timed(*([row] for row in self.rows))
        if max(map(distance, alone, again)) > self.tolerance:
            return Company("equal-length", trouble="its answers change from one call to the next")
        _, together_s = self._timed(self.rows)
        beside, other = self.answer([self.rows[0], self.twin])
        mixed = max(distance(alone[0], beside), distance(self.answer([self.twin])[0], other))
        batching: Batching = "equal-length" if mixed <= self.tolerance else "one-by-one"
        return Company(batching, min(moved, 9.99), max(1.0, alone_s / together_s))

    def _timed(self, *batches: Sequence[T]) -> tuple[list[Values], float]:
        started = time.perf_counter()
        answers = [values for batch in batches for values in self.answer(batch)]
        return answers, time.perf_counter() - started


def try_company(probe: Probe[Any], name: str) -> Company:
    """What a probe shows; where it fails rows are kept apart: others may be answered yet."""
    try:
        return probe.company()
    except Exception as error:
        why = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        log.debug("%s: the trial of rows in company failed", name, exc_info=True)
        told = f"each row has a forward of its own: the trial of several failed ({why})"
        return Company("one-by-one", trouble=told)


def turned(tokens: Sequence[int]) -> list[int]:
    """Other tokens in as many places: the same ones backwards, but for the ends."""
    return [*tokens[:1], *tokens[-2:0:-1], *tokens[1:][-1:]]


def distance(alone: Values, company: Values) -> float:
    """How far a row's numbers lie apart, in parts of the greatest of them; infinite for others."""
    if [values.shape for values in alone] != [values.shape for values in company]:
        return float("inf")
    return max(map(_apart, alone, company), default=0.0)


def _apart(alone: NDArray[Any], company: NDArray[Any]) -> float:
    import numpy as np  # the table of backends is read where it is not installed

    if not alone.size:
        return 0.0
    real = np.isfinite(alone)
    if not (real == np.isfinite(company)).all():
        return float("inf")
    if not real.any():
        return 0.0
    scale = max(float(np.abs(alone[real]).max()), _LEAST)
    return float(np.abs(alone[real] - company[real]).max()) / scale


def apart(batching: Batching, place: int, length: Hashable) -> Hashable:
    """What rows must have in common to share a forward, of a row's place and its length."""
    return {"padded": None, "equal-length": length, "one-by-one": place}[batching]


def chosen(batching: str) -> Company | None:
    """What a declaration says of a model; None where it leaves it to be found.

    Raises ValueError for a word that means nothing.
    """
    if not batching:
        return None
    if batching not in get_args(Batching):
        raise ValueError(f"batching {batching!r}: use {', '.join(get_args(Batching))}")
    return Company(cast("Batching", batching))
