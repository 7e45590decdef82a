"""Numbers of labels, in the order in which labels are first seen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path


class Categories:
    """Numbers labels from `first` on. The same rows in the same order get the same numbers."""

    def __init__(self, first: int) -> None:
        self._first = first
        self._numbers: dict[str, int] = {}
        #: Number in the part that was joined last -> number here; empty where all are the same.
        self.moved: dict[int, int] = {}

    def number(self, label: str) -> int:
        """The number of a label."""
        return self._numbers.setdefault(label, self._first + len(self._numbers))

    def leave(self, file: Path) -> None:
        """Write the labels."""
        file.write_text(json.dumps(list(self._numbers)))

    def join(self, chunks: Iterator[bytes]) -> None:
        """Number those of a part that are not here yet; `moved` tells what its numbers are now."""
        labels: list[str] = json.loads(b"".join(chunks))
        moved = {n: self.number(label) for n, label in enumerate(labels, start=self._first)}
        self.moved = moved if any(n != here for n, here in moved.items()) else {}

    @property
    def moved_text(self) -> dict[bytes, bytes]:
        """The same as text has them."""
        return {b"%d" % there: b"%d" % here for there, here in self.moved.items()}

    def __iter__(self) -> Iterator[tuple[int, str]]:
        return ((number, label) for label, number in self._numbers.items())

    def __len__(self) -> int:
        return len(self._numbers)
