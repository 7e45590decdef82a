"""Limbs between keypoints, for names that are known.

Models answer no skeletons. These are the seventeen points of COCO's persons (COCO keypoints 2017,
`person_keypoints`), by their names there and as ViTPose's models write them (`L_Shoulder`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

_LIMBS = (
    *(("nose", "left_eye"), ("nose", "right_eye"), ("left_eye", "left_ear")),
    *(("right_eye", "right_ear"), ("left_shoulder", "right_shoulder")),
    *(("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist")),
    *(("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist")),
    *(("left_shoulder", "left_hip"), ("right_shoulder", "right_hip"), ("left_hip", "right_hip")),
    *(("left_hip", "left_knee"), ("left_knee", "left_ankle")),
    *(("right_hip", "right_knee"), ("right_knee", "right_ankle")),
)

_SIDES = {"l": "left", "r": "right"}


def limbs(points: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """Points of one object that a line joins."""
    named = {_name(point.label): point for point in points}
    for start, end in _LIMBS:
        if start in named and end in named:
            yield named[start], named[end]


def _name(label: str) -> str:
    side, _, rest = label.lower().replace(" ", "_").partition("_")
    return f"{_SIDES.get(side, side)}_{rest}" if rest else side
