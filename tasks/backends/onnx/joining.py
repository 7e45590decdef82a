"""Texts of windows that overlap, joined where their tokens agree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def joined(windows: Sequence[Sequence[int]]) -> list[int]:
    """The tokens of windows that follow each other, without what two of them heard twice.

    A window is laid over the end of the last one where most tokens agree, at least two; the middle
    of the overlap is where one ends and the other begins.
    """
    whole: list[int] = []
    last = list(windows[0]) if windows else []
    for window in windows[1:]:
        cut, begin = _seam(last, window)
        whole += last[:cut]
        last = list(window[begin:])
    return whole + last


def _seam(left: Sequence[int], right: Sequence[int]) -> tuple[int, int]:
    """Where the left window ends and the right one begins: at its end and at 0 if none agrees."""
    before, after = np.array(left), np.array(right)
    best, seam = 0.0, (len(left), 0)
    for shift in range(1, len(left) + len(right)):
        start, stop = max(0, len(left) - shift), min(len(left), len(left) + len(right) - shift)
        begin = max(0, shift - len(left))
        agree = int((before[start:stop] == after[begin : begin + stop - start]).sum())
        # Long overlaps win over short ones that agree as well.
        score = agree / shift + shift / 10_000
        if agree > 1 and score > best:
            best = score
            seam = ((start + stop) // 2, (begin + begin + stop - start) // 2)
    return seam
