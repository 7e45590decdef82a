"""Mask generation. OIP: image BYTES [n] -> mask BYTES (PNG, 0 or 255), score FP32 [n, m].

Segment Anything (Kirillov et al., 2023). Without prompts an image's objects are all looked for;
with `points` or `boxes` each prompt gets its masks, in the order of the prompts: three a prompt
with `multimask_output`, else one. With `return_logits` they come as the model's small logits, too,
as `mask_logits`; one of them given back for each prompt as `mask_input` is refined.

A worker keeps what its model saw of an image with prompts for 5 minutes, and answers more prompts
on the same file in milliseconds. With `return_image_embedding` the name of what it keeps comes
along. Given back as `image_embedding` it stands for an image that is sent empty; where it is not
kept (another worker, too old) the row fails and says to send the image.

No trained model can be had without a download.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...protocol import v2
from ...protocol.datatypes import Datatype
from ..base import Aliases, Example, Task, Widget
from ..items import ItemsOutput
from ..samples import PNG
from ..tensors import Grid, TensorSpec, column, grids, ungridded, values_of
from .images import IMAGE, MAX_PIXELS, ImagesInput
from .prompts import (
    BOXES,
    LABELS,
    MASK_INPUT,
    POINTS,
    Boxes,
    MaskInputs,
    PointLabels,
    Points,
    check_prompts,
)

MASK = TensorSpec("mask", Datatype.BYTES, (-1, -1), "masks", "image")
SCORE = TensorSpec("score", Datatype.FP32, (-1, -1), "masks")
EMBEDDING = TensorSpec(
    "image_embedding", Datatype.BYTES, (-1,), "image_embeddings", "text", optional=True
)
LOGITS = TensorSpec("mask_logits", Datatype.FP32, (-1, -1, -1, -1), "masks", optional=True)


class MaskGenerationInput(ImagesInput):
    """Images to cut into masks, with prompts or without."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (
        IMAGE,
        POINTS,
        LABELS,
        BOXES,
        MASK_INPUT,
        EMBEDDING,
    )
    ROWS: ClassVar[tuple[str, ...]] = (
        *("images", "points", "labels", "boxes"),
        *("mask_inputs", "image_embeddings"),
    )

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
    mask_inputs: list[MaskInputs] | None = Field(
        default=None,
        description="Per row [prompt][h][w], logits as `mask_logits` has them; [] for none.",
    )
    image_embeddings: list[str] | None = Field(
        default=None,
        description='What a worker keeps of an image, by the name that it answered; "" for none.',
    )
    multimask_output: bool = Field(
        default=True, description="Three masks per prompt, from part to whole, instead of one."
    )
    return_logits: bool = Field(
        default=False, description="Answer each prompt's masks as the model's logits, too."
    )
    return_image_embedding: bool = Field(
        default=False, description="Answer the name of what is kept of an image with prompts."
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
        rows = zip_longest(
            self.points or (), self.labels or (), self.boxes or (), self.mask_inputs or ()
        )
        for prompts in rows:
            check_prompts(*prompts)
        return self


class ObjectMask(BaseModel):
    """A mask of the image's size, and how well the model thinks it fits."""

    model_config = ConfigDict(frozen=True)

    mask: bytes = Field(description="Grey PNG of the image's size: 255 on the object, else 0.")
    score: float = Field(description="Expected overlap with the true object, about 0 to 1.")
    logits: Grid | None = Field(
        default=None, description="The mask as the model made it, small, where that was asked for."
    )


class MaskGenerationOutput(ItemsOutput):
    """Per image, masks: the surest first, or those of each prompt in turn."""

    ITEM: ClassVar[type[BaseModel]] = ObjectMask
    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (MASK, SCORE)
    ROWS: ClassVar[tuple[str, ...]] = ("masks", "image_embeddings")
    ASIDE: ClassVar[tuple[str, ...]] = ("image_embeddings",)

    masks: list[list[ObjectMask]]
    #: "" where it was not asked for.
    image_embeddings: list[str] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _name_none(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and "masks" in fields and "image_embeddings" not in fields:
            return {**fields, "image_embeddings": [""] * len(fields["masks"])}
        return fields

    def to_inference_response(self, model_name: str) -> v2.InferenceResponse:
        """A tensor per attribute; those of logits and names only if there are any."""
        response = super().to_inference_response(model_name)
        rows = [[mask.logits for mask in row if mask.logits is not None] for row in self.masks]
        if any(rows):
            response.outputs.append(grids(LOGITS, rows))
        if any(self.image_embeddings):
            response.outputs.append(column(EMBEDDING, self.image_embeddings))
        return response

    @classmethod
    def from_inference_response(cls, response: v2.InferenceResponse) -> Self:
        """Read the tensors, without the padding."""
        found = super().from_inference_response(response)
        given = {one.name: one for one in response.outputs}
        update: dict[str, Any] = {}
        if EMBEDDING.name in given:
            update["image_embeddings"] = values_of(EMBEDDING, response)
        if LOGITS.name in given:
            update["masks"] = [
                [mask.model_copy(update={"logits": own}) for mask, own in zip_longest(row, grids_)]
                for row, grids_ in zip(found.masks, ungridded(given[LOGITS.name]), strict=True)
            ]
        return found.model_copy(update=update)


TASK = Task(
    name="mask-generation",
    family="vision",
    title="Mask generation",
    description="Cuts out objects: all of an image, or those that points and boxes mark.",
    input=MaskGenerationInput,
    output=MaskGenerationOutput,
    outputs=(MASK, SCORE, LOGITS, EMBEDDING),
    default_model="facebook/sam-vit-base",
    max_row_cost=MAX_PIXELS,
    widget=Widget(("image", "points", "point-labels", "boxes", "json", "text"), "masks"),
    aliases=Aliases(
        huggingface=("mask-generation",), pixano=("image_mask_generation", "segmentation")
    ),
    example=Example(
        MaskGenerationInput(images=[PNG], points=[[[[2.0, 3.5]]]], labels=[[[1]]]),
        MaskGenerationOutput(masks=[[ObjectMask(mask=PNG, score=0.875)]]),
    ),
)
