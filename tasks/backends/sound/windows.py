"""Long sounds in overlapping windows, as transformers' pipeline cuts them."""

from __future__ import annotations

from typing import NamedTuple


class Window(NamedTuple):
    """Samples start to stop of a sound; the outer `left` and `right` of them are context only."""

    start: int
    stop: int
    left: int
    right: int

    @property
    def length(self) -> int:
        """Samples in it."""
        return self.stop - self.start


class WindowShape(NamedTuple):
    """How long windows are, in samples, and how much of each end is context."""

    length: int
    context: int

    @classmethod
    def of(cls, seconds: float, rate: int, align_to: int = 1) -> WindowShape:
        """Windows of so many seconds, a sixth of them context at either end.

        Both are whole multiples of `align_to`, the samples that one output of the model stands for;
        `rate` is samples a second. Raises ValueError for too few seconds.
        """
        length, context = (round(s * rate / align_to) * align_to for s in (seconds, seconds / 6))
        if length <= 2 * context:
            raise ValueError(f"windows of {seconds} s are too short")
        return cls(length, context)

    def windows(self, samples: int) -> list[Window]:
        """The windows of a sound, whose parts without context follow each other without a gap."""
        found = []
        for start in range(0, samples, self.length - 2 * self.context):
            stop = min(start + self.length, samples)
            last = stop == samples
            left = self.context if start else 0
            if stop - start > left:  # else all of it is in the window before
                found.append(Window(start, stop, left, 0 if last else self.context))
            if last:
                break
        return found
