"""Keypoint detection. OIP: image BYTES [n] -> label BYTES, score, x, y FP32, object INT32 [n, m].

Poses (VitPose, Xu et al., 2022) look at the objects that `boxes` mark, or at the whole image as
one; points of interest (SuperPoint, DeTone et al., 2018) have no names and belong to object 0. No
trained model can be had without a download.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from ...protocol.datatypes import Datatype
from ..base import Aliases, Example, Task, Widget
from ..items import ItemsOutput
from ..samples import PNG
from ..tensors import TensorSpec
from .images import IMAGE, MAX_PIXELS, ImagesInput
from .prompts import BOXES, Boxes

LABEL = TensorSpec("label", Datatype.BYTES, (-1, -1), "keypoints", "text")
SCORE = TensorSpec("score", Datatype.FP32, (-1, -1), "keypoints")
X = TensorSpec("x", Datatype.FP32, (-1, -1), "keypoints")
Y = TensorSpec("y", Datatype.FP32, (-1, -1), "keypoints")
OBJECT = TensorSpec("object", Datatype.INT32, (-1, -1), "keypoints")


class KeypointDetectionInput(ImagesInput):
    """Images to search for keypoints."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (IMAGE, BOXES)
    ROWS: ClassVar[tuple[str, ...]] = ("images", "boxes")

    boxes: list[Boxes] | None = Field(
        default=None,
        description="Per row [object][4], corners in pixels; [] for the whole image as one.",
    )
    threshold: float = Field(
        default=0.0, ge=0, le=1, description="Least score of an answered keypoint."
    )


class Keypoint(BaseModel):
    """A keypoint: what, how sure, where, and on which object."""

    model_config = ConfigDict(frozen=True)

    label: str
    score: float = Field(description="How sure the model is, about 0 to 1.")
    x: float = Field(description="Pixels from the left of the image as sent.")
    y: float = Field(description="Pixels from its top.")
    object: int = Field(default=0, description="Index of the box that it belongs to.")


class KeypointDetectionOutput(ItemsOutput):
    """Per image, the keypoints of each object in turn, in the model's order."""

    ITEM: ClassVar[type[BaseModel]] = Keypoint
    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (LABEL, SCORE, X, Y, OBJECT)
    ROWS: ClassVar[tuple[str, ...]] = ("keypoints",)

    keypoints: list[list[Keypoint]]


TASK = Task(
    name="keypoint-detection",
    family="vision",
    title="Keypoint detection",
    description="Finds the keypoints of objects, such as the joints of people.",
    input=KeypointDetectionInput,
    output=KeypointDetectionOutput,
    outputs=(LABEL, SCORE, X, Y, OBJECT),
    default_model="usyd-community/vitpose-base-simple",
    max_row_cost=MAX_PIXELS,
    widget=Widget(("image", "boxes"), "keypoints"),
    aliases=Aliases(huggingface=("keypoint-detection",), instill="TASK_KEYPOINT"),
    example=Example(
        KeypointDetectionInput(images=[PNG], boxes=[[[1.0, 1.0, 7.0, 8.0]]], threshold=0.25),
        KeypointDetectionOutput(
            keypoints=[
                [
                    Keypoint(label="nose", score=0.875, x=4.0, y=2.5),
                    Keypoint(label="left_eye", score=0.5, x=4.5, y=2.25),
                ]
            ]
        ),
    ),
)
