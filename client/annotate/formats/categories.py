"""Numbers of labels, in the order in which labels are first seen."""

from __future__ import annotations

from collections.abc import Iterator


class Categories:
    """Numbers labels from `first` on. The same rows in the same order get the same numbers."""

    def __init__(self, first: int) -> None:
        self._first = first
        self._numbers: dict[str, int] = {}

    def number(self, label: str) -> int:
        """The number of a label."""
        return self._numbers.setdefault(label, self._first + len(self._numbers))

    def __iter__(self) -> Iterator[tuple[int, str]]:
        return ((number, label) for label, number in self._numbers.items())

    def __len__(self) -> int:
        return len(self._numbers)
