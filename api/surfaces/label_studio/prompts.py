"""What somebody has drawn and waits for, in Label Studio's interactive mode, as prompts.

Label Studio sends the regions of its smart tools as the call's context: keypoints on an object and
beside it, rectangles around it. See https://labelstud.io/guide/ml_create#Support-interactive-preannotations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ....protocol.errors import InvalidRequest
from ....tasks.base import Task
from ....tasks.label_studio.results import Size

#: Regions of a context, at most: a hand draws no more.
_MOST = 1000

_POINTS = ("keypoint", "keypointlabels")
_BOXES = ("rectangle", "rectanglelabels", "ellipse", "ellipselabels")


@dataclass(frozen=True, slots=True)
class DrawnRegion:
    """A region that somebody drew, in percent of what it is drawn on."""

    kind: str
    to_name: str
    #: Of which page of an object; None for one that has none.
    item: int | None
    value: Mapping[str, Any]  # any JSON
    positive: bool

    @property
    def label(self) -> str:
        """What it is said to be; "" where nothing is said."""
        labels = self.value.get(self.kind)
        return str(labels[0]) if isinstance(labels, list) and labels else ""

    def numbers(self, *names: str) -> list[float]:
        """Some of its lengths. Raises InvalidRequest."""
        found = [self.value.get(name) for name in names]
        if not all(type(number) in (int, float) for number in found):
            raise InvalidRequest(f"context: a {self.kind} without {', '.join(names)}")
        return [float(number) for number in found if number is not None]


def takes_prompts(task: Task) -> bool:
    """Whether a task's rows may come with prompts."""
    return {"images", "points", "labels", "boxes"} <= set(task.input.ROWS)


def read_regions(context: object) -> list[DrawnRegion]:
    """A call's context; nothing where nobody waits. Raises InvalidRequest."""
    drawn = context.get("result") if isinstance(context, dict) else None
    if not drawn:
        return []
    if not isinstance(drawn, list) or len(drawn) > _MOST:
        raise InvalidRequest(f"context: expected a list of {_MOST} regions at most")
    return [_region(entry) for entry in drawn]


def _region(entry: object) -> DrawnRegion:
    value = entry.get("value") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(value, dict):
        raise InvalidRequest("context: expected regions with a value each")
    item = entry.get("item_index")
    return DrawnRegion(
        str(entry.get("type")),
        str(entry.get("to_name", "")),
        item if type(item) is int else None,
        value,
        positive=entry.get("is_positive") not in (False, 0),
    )


def prompt_fields(regions: Sequence[DrawnRegion], size: Size) -> dict[str, Any]:
    """The fields of one row's prompts: all points are one object's, each rectangle is one's own.

    Raises InvalidRequest.
    """
    points, labels, boxes = [], [], []
    for region in regions:
        if region.kind in _POINTS:
            x, y = region.numbers("x", "y")
            points.append([x / 100 * size[0], y / 100 * size[1]])
            labels.append(int(region.positive))
        elif region.kind in _BOXES:
            boxes.append(_box(region, size))
        else:
            raise InvalidRequest(
                f"context: a region of type {region.kind[:40]!r}; prompts are keypoints, "
                "rectangles and ellipses"
            )
    if points and len(boxes) > 1:
        raise InvalidRequest("context: points go with one rectangle, or without any")
    fields: dict[str, Any] = {"multimask_output": False}
    if points:
        fields |= {"points": [[points]], "labels": [[labels]]}
    if boxes:
        fields["boxes"] = [boxes]
    return fields


def _box(region: DrawnRegion, size: Size) -> list[float]:
    """The corners in pixels; an ellipse's are those of what it touches."""
    if region.kind.startswith("ellipse"):
        x, y, across, down = region.numbers("x", "y", "radiusX", "radiusY")
        left, top, right, bottom = x - across, y - down, x + across, y + down
    else:
        left, top, width, height = region.numbers("x", "y", "width", "height")
        right, bottom = left + width, top + height
    across_px, down_px = size[0] / 100, size[1] / 100
    return [left * across_px, top * down_px, right * across_px, bottom * down_px]
