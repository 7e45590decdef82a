"""Texts that are longer than a model reads: an error where the caller says so, else a warning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ....protocol.errors import RowError
from ...base import TaskInput, TaskOutput


class Truncation(NamedTuple):
    """How much of a text was read, and how much was sent."""

    read: int
    sent: int
    unit: str = "tokens"

    def refusal(self) -> RowError:
        """The error of a row that is not to be cut."""
        return RowError(
            f"the text has {self.sent} {self.unit}, the model reads {self.read}: send less, "
            "or truncate: true"
        )


def cut_to(most: int, sent: int, unit: str = "tokens") -> Truncation | None:
    """What is lost of `sent` where `most` are read; None for nothing."""
    return Truncation(most, sent, unit) if sent > most else None


def with_truncation(
    row: TaskInput, output: TaskOutput, cuts: Sequence[Truncation | None]
) -> TaskOutput | RowError:
    """A row's answer, or its error if it is not to be cut, given what was cut of its texts."""
    if getattr(row, "truncate", True):
        return warned(output, cuts)
    found = _worst(cuts)
    return found.refusal() if found else output


def warned(output: TaskOutput, cuts: Sequence[Truncation | None]) -> TaskOutput:
    """A row's answer, with a warning if any of its texts was cut."""
    found = _worst(cuts)
    if found is None:
        return output
    count = sum(cut is not None for cut in cuts)
    which = f", in {count} of {len(cuts)} texts" if len(cuts) > 1 else ""
    return output.warned(f"cut: the model read {found.read} of {found.sent} {found.unit}{which}")


def _worst(cuts: Sequence[Truncation | None]) -> Truncation | None:
    return max((cut for cut in cuts if cut), key=lambda cut: cut.sent, default=None)
