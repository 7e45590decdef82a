"""Zero-shot image classification. OIP: image BYTES [n], candidate_labels BYTES [L] -> label, score.

label BYTES and score FP32 are [n, L], the likeliest first (CLIP, Radford et al., 2021). Rows of
one batch may have labels of their own: the model sees each label once.

Tests ask a CLIP, trained by `training.clip`, for the colour and shape of drawings, by
both backends; `wherry up --sample-models` serves it.
"""

from __future__ import annotations

from pydantic import Field

from ..base import Aliases, Example, Task, Widget
from ..labels import LABEL, SCORE, ClassificationResult, LabelsOutput
from ..samples import PNG
from .candidates import CandidatesInput
from .images import MAX_PIXELS


class ZeroShotImageClassificationInput(CandidatesInput):
    """Images to classify, and the labels to choose from."""

    hypothesis_template: str = Field(
        default="This is a photo of {}.",
        max_length=1000,
        pattern=r"\{\}",
        description="The sentence that a label is put into, at its {}.",
    )


class ZeroShotImageClassificationOutput(LabelsOutput):
    """Per image, all candidate labels, the likeliest first."""


TASK = Task(
    name="zero-shot-image-classification",
    family="vision",
    title="Zero-shot image classification",
    description="Tells which of the labels that you give fits an image best.",
    input=ZeroShotImageClassificationInput,
    output=ZeroShotImageClassificationOutput,
    outputs=(LABEL, SCORE),
    default_model="openai/clip-vit-base-patch32",
    max_row_cost=MAX_PIXELS,
    widget=Widget(("image", "labels"), "labels"),
    aliases=Aliases(huggingface=("zero-shot-image-classification",)),
    example=Example(
        ZeroShotImageClassificationInput(images=[PNG], candidate_labels=["harbour", "fog"]),
        ZeroShotImageClassificationOutput(
            results=[
                [
                    ClassificationResult(label="fog", score=0.875),
                    ClassificationResult(label="harbour", score=0.125),
                ]
            ]
        ),
    ),
)
