"""The form of segmentation: instances in their boxes, or a map's parts over the whole image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .....tasks.values.masks import read_mask
from .....tasks.values.rle import encode_decimal
from .....tasks.vision.image_segmentation import ImageSegmentationOutput, Segment
from .form import Form, Json, Style, box
from .vision import read_image

_SEMANTIC, _INSTANCE = "TASK_SEMANTIC_SEGMENTATION", "TASK_INSTANCE_SEGMENTATION"


def _decide(answers: Sequence[ImageSegmentationOutput]) -> str:
    """Semantic where no segment has a score of its own: a map gives each the score 1."""
    found = [item.score for answer in answers for row in answer.segments for item in row]
    return _SEMANTIC if found and all(score == 1 for score in found) else _INSTANCE


def _write(answers: Sequence[ImageSegmentationOutput], style: Style) -> Json:
    (segments,) = answers[0].segments
    if style.task == _SEMANTIC:
        return {"stuffs": [_stuff(item) for item in segments]}
    return {"objects": [_instance(item, style) for item in segments]}


def _stuff(item: Segment) -> Json:
    """A part of a map: its runs cover the image."""
    return {"rle": encode_decimal(read_mask(item.mask)), "category": item.label}


def _instance(item: Segment, style: Style) -> Json:
    """An object: its runs cover its box, which is as small as can be and in whole pixels."""
    mask = read_mask(item.mask)
    top, bottom = _reach(np.any(mask, axis=1))
    left, right = _reach(np.any(mask, axis=0))
    return {
        "rle": encode_decimal(mask[top:bottom, left:right]),
        "score": item.score,
        **box(style, left, top, right - left, bottom - top),
        "category": item.label,
    }


def _reach(line: NDArray[Any]) -> tuple[int, int]:
    """Of (N,) booleans, from the first that is set to past the last; 0, 0 where none is."""
    (set_at,) = np.nonzero(line)
    return (int(set_at[0]), int(set_at[-1]) + 1) if set_at.size else (0, 0)


SEGMENTATION = Form(read_image, _write, decide=_decide)
