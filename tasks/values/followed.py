"""Objects that are followed through a film, by the boxes around their masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..base import TaskOutput

#: Left, top, right and bottom in pixels.
Corners = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class FollowedObject:
    """An object and the box around it in each frame that shows it, by the frame's number."""

    number: int
    boxes: dict[int, Corners]


class FollowedFilm(NamedTuple):
    """What a row that answers masks by frame says."""

    #: Width and height of its frames; None where there is none.
    size: tuple[int, int] | None
    objects: Sequence[FollowedObject]
    #: The frames that were looked at, and when each is shown, where that is told.
    times: Mapping[int, float | None]


def followed(output: TaskOutput) -> FollowedFilm:
    """The objects of a row that answers masks by frame."""
    import numpy as np  # and Pillow, for masks alone

    from .masks import read_mask

    size: tuple[int, int] | None = None
    objects: dict[int, FollowedObject] = {}
    numbers, frames, masks, told = (
        getattr(output, name)[0] for name in ("objects_ids", "frame_indexes", "masks", "times")
    )
    times = told or [None] * len(frames)
    for number, frame, file in zip(numbers, frames, masks, strict=True):
        mask = read_mask(file)
        size = size or (mask.shape[1], mask.shape[0])
        found = objects.setdefault(number, FollowedObject(number, {}))
        if mask.any():
            across, down = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
            found.boxes[frame] = (
                *(int(across[0]), int(down[0])),
                *(int(across[-1]) + 1, int(down[-1]) + 1),
            )
    return FollowedFilm(size, list(objects.values()), dict(zip(frames, times, strict=True)))
