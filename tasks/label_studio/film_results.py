"""What is seen in a film as Label Studio's results: rectangles through frames, stretches of time.

    box         VideoRectangle; its label is one of the Labels beside it
    timeline    TimelineLabels

Frames count from 1, lengths are percent of a frame. Between two keyframes Label Studio moves a
rectangle evenly; one that is not `enabled` is its last before the next. See
https://labelstud.io/tags/videorectangle and https://labelstud.io/tags/timelinelabels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..base import TaskOutput
from ..values.followed import Corners, followed
from ..values.rounding import number, percent
from .results import Result, Size

#: What an object is that was followed: nobody said more.
FOLLOWED = "object"


@dataclass(frozen=True, slots=True)
class FilmLength:
    """How many frames a film has, and how many a second."""

    frames: int
    rate: float

    def seconds(self, frames: int) -> float:
        """How long so many take."""
        return round(frames / self.rate, 3)


def rectangle_through(
    boxes: Mapping[int, Corners], label: str, size: Size, film: FilmLength
) -> Result:
    """An object by its boxes, by frames that count from 0; it is away where the next has none."""
    keyframes = []
    for frame, (left, top, right, bottom) in sorted(boxes.items()):
        x, y = percent(left, size[0]), percent(top, size[1])
        keyframes.append(
            {
                "frame": frame + 1,
                "enabled": frame + 1 in boxes,
                "rotation": 0,
                "x": x,
                "y": y,
                "width": round(percent(right, size[0]) - x, 4),
                "height": round(percent(bottom, size[1]) - y, 4),
                "time": film.seconds(frame),
            }
        )
    value = {
        "framesCount": film.frames,
        "duration": film.seconds(film.frames),
        "sequence": keyframes,
        "labels": [label],
    }
    return {"type": "videorectangle", "from_name": "box", "value": value}


def stretch(first: int, end: int, label: str) -> Result:
    """What frames from one to before another show; they count from 0."""
    value = {"ranges": [{"start": first + 1, "end": end}], "timelinelabels": [label]}
    return {"type": "timelinelabels", "from_name": "timeline", "value": value}


def rectangles_of(output: TaskOutput) -> Iterator[Result]:
    """A rectangle through the frames of each object of a row that answers masks by frame."""
    film = followed(output)
    frames = max(film.times, default=0) + 1
    seconds = film.times.get(frames - 1) or 0.0
    # Of frames without times nobody knows more than their order.
    length = FilmLength(frames, (frames - 1) / seconds if seconds > 0 else 1.0)
    for each in film.objects:
        if each.boxes and film.size is not None:
            yield rectangle_through(each.boxes, FOLLOWED, film.size, length)


def scored(result: Result, score: float | None) -> Result:
    """A result with its score, where there is one."""
    return result if score is None else {**result, "score": number(score)}
