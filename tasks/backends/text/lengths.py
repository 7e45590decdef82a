"""Which rows share a forward, so that short ones are not padded to the longest of all."""

from __future__ import annotations

from collections.abc import Sequence

from ..company import Batching, apart
from ..rows import alike

#: Padding that one more forward would cost as much as, in tokens, about.
SLACK = 1024

#: Tokens of one forward, padding included, at most: a row with a thousand labels is a batch.
MOST = 65_536


def alike_in_length(
    lengths: Sequence[int], *, slack: int = SLACK, most: int = MOST
) -> list[list[int]]:
    """Positions of rows to pad together, longest first.

    A group is closed when the next row would bring its padding above `slack`, or its size above
    `most`. Batches of a usual size stay whole.
    """
    groups: list[list[int]] = []
    longest = padding = 0
    for position in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        padding += longest - lengths[position]
        if not groups or padding > slack or (len(groups[-1]) + 1) * longest > most:
            groups.append([])
            longest, padding = lengths[position], 0
        groups[-1].append(position)
    return groups


def sharing(lengths: Sequence[int], batching: Batching) -> list[list[int]]:
    """Positions of rows that share a forward: alike in length, or as far as the model allows."""
    return [
        [group[i] for i in part]
        for group in alike(apart(batching, *row) for row in enumerate(lengths))
        for part in alike_in_length([lengths[i] for i in group])
    ]
