"""Boxes with a label and a score: what every detection answers."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from ..protocol.datatypes import Datatype
from .items import ItemsOutput
from .tensors import TensorSpec

LABEL = TensorSpec("label", Datatype.BYTES, (-1, -1), "detections", "text")
SCORE = TensorSpec("score", Datatype.FP32, (-1, -1), "detections")
BOX = TensorSpec("box", Datatype.FP32, (-1, -1, 4), "detections")


class BoundingBox(BaseModel):
    """A box in pixels, origin at the upper left."""

    model_config = ConfigDict(frozen=True)

    xmin: float
    ymin: float
    xmax: float
    ymax: float


class DetectedObject(BaseModel):
    """An object: what, how sure, where."""

    model_config = ConfigDict(frozen=True)

    label: str
    score: float = Field(description="Probability, 0 to 1.")
    box: BoundingBox


class BoxesOutput(ItemsOutput):
    """Per image, the objects found, surest first."""

    ITEM: ClassVar[type[BaseModel]] = DetectedObject
    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (LABEL, SCORE, BOX)
    ROWS: ClassVar[tuple[str, ...]] = ("detections",)

    detections: list[list[DetectedObject]]
