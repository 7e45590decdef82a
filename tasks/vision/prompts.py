"""Prompts that say which object to mark: points on it and off it, and boxes around it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ...protocol.datatypes import Datatype
from ..tensors import TensorSpec

_Coordinate = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]

#: x, y in pixels of the image as sent.
Point = Annotated[list[_Coordinate], Field(min_length=2, max_length=2)]

#: xmin, ymin, xmax, ymax in pixels of the image as sent.
Box = Annotated[list[_Coordinate], Field(min_length=4, max_length=4)]

#: 1 marks a point on the object, 0 one beside it.
PointLabel = Annotated[int, Field(ge=0, le=1)]

#: One row's prompts; each has some points, and their labels in the same order.
Points = Annotated[
    list[Annotated[list[Point], Field(min_length=1, max_length=1000)]], Field(max_length=1000)
]
PointLabels = Annotated[list[list[PointLabel]], Field(max_length=1000)]
Boxes = Annotated[list[Box], Field(max_length=1000)]

#: One row's masks to refine: a model's own logits, a grid a prompt.
MaskInputs = Annotated[
    list[list[list[Annotated[float, Field(allow_inf_nan=False)]]]], Field(max_length=1000)
]

POINTS = TensorSpec("points", Datatype.BYTES, (-1,), "points", "json", optional=True)
LABELS = TensorSpec("labels", Datatype.BYTES, (-1,), "labels", "json", optional=True)
BOXES = TensorSpec("boxes", Datatype.BYTES, (-1,), "boxes", "json", optional=True)
MASK_INPUT = TensorSpec("mask_input", Datatype.FP32, (-1, -1, -1, -1), "mask_inputs", optional=True)


def check_prompts(
    points: list[list[list[float]]] | None,
    labels: list[list[int]] | None,
    boxes: list[list[float]] | None,
    masks: list[list[list[float]]] | None = None,
) -> None:
    """Hold one row's prompts against each other. Raises ValueError."""
    if labels and not points:
        raise ValueError("labels: given without points")
    if points and labels and [len(p) for p in points] != [len(p) for p in labels]:
        raise ValueError("labels: expected one per point, prompt by prompt")
    if points and boxes and len(points) != len(boxes):
        raise ValueError(f"boxes: {len(boxes)} prompts, but points has {len(points)}")
    if masks and len(masks) != len(points or boxes or ()):
        prompts = len(points or boxes or ())
        raise ValueError(
            f"mask_inputs: {len(masks)} masks for {prompts} prompts of points or boxes"
        )
