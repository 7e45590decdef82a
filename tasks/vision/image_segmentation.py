"""Image segmentation. OIP: image BYTES [n] -> label BYTES, score FP32, mask BYTES [n, m].

Masks are grey PNGs of the image's size, 255 on the segment and 0 off it. A semantic map decides
for every pixel and scores none: its segments have a score of 1, and no threshold counts.

Tests ask a UperNet, trained by `training.segmenter`, for the pixels of drawn circles,
squares and triangles, by both backends; `wherry up --sample-models` serves it. Panoptic and
instance segments are held against Transformers with random weights: no trained model of theirs
can be had without a download.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from ...protocol.datatypes import Datatype
from ..base import Aliases, Example, Task, Widget
from ..items import ItemsOutput
from ..samples import PNG
from ..tensors import TensorSpec
from .images import ImagesInput

LABEL = TensorSpec("label", Datatype.BYTES, (-1, -1), "segments", "text")
SCORE = TensorSpec("score", Datatype.FP32, (-1, -1), "segments")
MASK = TensorSpec("mask", Datatype.BYTES, (-1, -1), "segments", "image")

#: Pixels of one image, at most: each segment answers a mask of as many.
_MAX_PIXELS = 2**25


class ImageSegmentationInput(ImagesInput):
    """Images to divide into segments."""

    threshold: float = Field(
        default=0.9, ge=0, le=1, description="Least score of an answered segment."
    )
    mask_threshold: float = Field(
        default=0.5, ge=0, le=1, description="Least probability of a pixel that counts as covered."
    )
    overlap_mask_area_threshold: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Least share of a segment's mask that no surer segment takes from it.",
    )
    subtask: Literal["semantic", "instance", "panoptic"] | None = Field(
        default=None,
        description="Which kind of segments; by default the first of panoptic, instance and "
        "semantic that the model can do.",
    )


class Segment(BaseModel):
    """A part of an image: what, how sure, which pixels."""

    model_config = ConfigDict(frozen=True)

    label: str
    score: float = Field(description="Probability, 0 to 1; 1 in semantic maps.")
    mask: bytes = Field(repr=False, description="Grey PNG of the image's size: 255 on, 0 off.")


class ImageSegmentationOutput(ItemsOutput):
    """Per image, its segments."""

    ITEM: ClassVar[type[BaseModel]] = Segment
    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (LABEL, SCORE, MASK)
    ROWS: ClassVar[tuple[str, ...]] = ("segments",)

    segments: list[list[Segment]]


TASK = Task(
    name="image-segmentation",
    family="vision",
    title="Image segmentation",
    description="Divides an image into labelled segments, with a mask for each.",
    input=ImageSegmentationInput,
    output=ImageSegmentationOutput,
    outputs=(LABEL, SCORE, MASK),
    default_model="facebook/mask2former-swin-large-coco-panoptic",
    max_row_cost=_MAX_PIXELS,
    widget=Widget(("image",), "masks"),
    aliases=Aliases(huggingface=("image-segmentation",), instill="TASK_INSTANCE_SEGMENTATION"),
    example=Example(
        ImageSegmentationInput(images=[PNG], threshold=0.5),
        ImageSegmentationOutput(
            segments=[
                [
                    Segment(label="boat", score=0.875, mask=PNG),
                    Segment(label="river", score=0.75, mask=PNG),
                ]
            ]
        ),
    ),
)
