"""Decoding a batch: the rows that can be read, and an error for each that cannot."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence, Sized
from typing import Generic, TypeVar

from ...protocol.errors import RowError
from ..base import TaskInput, TaskOutput
from .decoding import decode_each

T = TypeVar("T")


class Decoded(Generic[T]):
    """The readable rows of a batch; `answers` puts the others' errors back in their places.

    Rows of files are decoded on all cores: `decode` may run in several threads at once.
    """

    def __init__(self, batch: Sequence[TaskInput], decode: Callable[[TaskInput], T]) -> None:
        self.rows: list[T] = []
        self.inputs: list[TaskInput] = []
        #: Where each of them is in the batch.
        self.places: list[int] = []
        self._errors: dict[int, RowError] = {}
        self._count = len(batch)
        for index, made in enumerate(decode_each(batch, decode)):
            if isinstance(made, RowError):
                self._errors[index] = made
            else:
                self.rows.append(made)
                self.inputs.append(batch[index])
                self.places.append(index)

    def answers(self, outputs: Sequence[TaskOutput | RowError]) -> list[TaskOutput | RowError]:
        """One answer a row of the batch, given the readable rows'."""
        following = iter(outputs)
        return [
            self._errors[index] if index in self._errors else next(following)
            for index in range(self._count)
        ]


def alike(keys: Iterable[Hashable]) -> list[list[int]]:
    """Positions of equal keys together, in the order of their first."""
    groups: dict[Hashable, list[int]] = {}
    for position, key in enumerate(keys):
        groups.setdefault(key, []).append(position)
    return list(groups.values())


def check_entries(made: Mapping[str, Sized], rows: int) -> None:
    """Raise RowError unless a processor or a model made one entry a row: were there more, a row
    would be answered with what was made of another.
    """
    for name, entries in made.items():
        if len(entries) != rows:
            raise RowError(
                f"the model makes {len(entries)} entries of {name} where {rows} belong to the "
                f"{'row' if rows == 1 else 'rows'}: this task takes one each"
            )
