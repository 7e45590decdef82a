"""Mask generation. OIP: image BYTES [n] -> mask BYTES (PNG, 0 or 255), score FP32 [n, m].

Segment Anything (Kirillov et al., 2023). Without prompts an image's objects are all looked for;
with `points` or `boxes` each prompt gets its masks, in the order of the prompts: three a prompt
with `multimask_output`, else one. No trained model can be had without a download.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...protocol.datatypes import Datatype
from ..base import Aliases, Example, Task, Widget
from ..items import ItemsOutput
from ..samples import PNG
from ..tensors import TensorSpec
from .images import IMAGE, MAX_PIXELS, ImagesInput
from .prompts import BOXES, LABELS, POINTS, Boxes, PointLabels, Points, check_prompts

MASK = TensorSpec("mask", Datatype.BYTES, (-1, -1), "masks", "image")
SCORE = TensorSpec("score", Datatype.FP32, (-1, -1), "masks")


class MaskGenerationInput(ImagesInput):
    """Images to cut into masks, with prompts or without."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (IMAGE, POINTS, LABELS, BOXES)
    ROWS: ClassVar[tuple[str, ...]] = ("images", "points", "labels", "boxes")

    points: list[Points] | None = Field(
        default=None, description="Per row [prompt][point][2], x and y in pixels; [] for none."
    )
    labels: list[PointLabels] | None = Field(
        default=None,
        description="Per row [prompt][point]: 1 on the object, 0 beside it; 1 if [].",
    )
    boxes: list[Boxes] | None = Field(
        default=None, description="Per row [prompt][4], corners in pixels; [] for none."
    )
    multimask_output: bool = Field(
        default=True, description="Three masks per prompt, from part to whole, instead of one."
    )
    mask_threshold: float = Field(default=0.0, description="Least logit of a pixel in a mask.")
    pred_iou_thresh: float = Field(
        default=0.88, ge=0, le=1, description="Least score of a mask found without prompts."
    )
    stability_score_thresh: float = Field(
        default=0.95, ge=0, le=1, description="Least stability of a mask found without prompts."
    )
    stability_score_offset: float = Field(
        default=1.0, ge=0, description="How far the logit threshold is moved to tell the stability."
    )
    crops_nms_thresh: float = Field(
        default=0.7, ge=0, le=1, description="Overlap at which the lesser of two masks is dropped."
    )
    crops_n_layers: int = Field(
        default=0, ge=0, le=3, description="Layers of closer looks; layer i has 4^i crops."
    )
    crop_overlap_ratio: float = Field(
        default=512 / 1500, ge=0, lt=1, description="How far crops overlap, of the shorter edge."
    )
    crop_n_points_downscale_factor: int = Field(
        default=1, ge=1, description="Points per side of layer i are divided by this^i."
    )

    @model_validator(mode="after")
    def _check_prompts(self) -> Self:
        rows = zip_longest(self.points or (), self.labels or (), self.boxes or ())
        for points, labels, boxes in rows:
            check_prompts(points, labels, boxes)
        return self


class ObjectMask(BaseModel):
    """A mask of the image's size, and how well the model thinks it fits."""

    model_config = ConfigDict(frozen=True)

    mask: bytes = Field(description="Grey PNG of the image's size: 255 on the object, else 0.")
    score: float = Field(description="Expected overlap with the true object, about 0 to 1.")


class MaskGenerationOutput(ItemsOutput):
    """Per image, masks: the surest first, or those of each prompt in turn."""

    ITEM: ClassVar[type[BaseModel]] = ObjectMask
    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (MASK, SCORE)
    ROWS: ClassVar[tuple[str, ...]] = ("masks",)

    masks: list[list[ObjectMask]]


TASK = Task(
    name="mask-generation",
    family="vision",
    title="Mask generation",
    description="Cuts out objects: all of an image, or those that points and boxes mark.",
    input=MaskGenerationInput,
    output=MaskGenerationOutput,
    outputs=(MASK, SCORE),
    default_model="facebook/sam-vit-base",
    max_row_cost=MAX_PIXELS,
    widget=Widget(("image", "json", "json", "json"), "masks"),
    aliases=Aliases(
        huggingface=("mask-generation",), pixano=("image_mask_generation", "segmentation")
    ),
    example=Example(
        MaskGenerationInput(images=[PNG], points=[[[[2.0, 3.5]]]], labels=[[[1]]]),
        MaskGenerationOutput(masks=[[ObjectMask(mask=PNG, score=0.875)]]),
    ),
)
