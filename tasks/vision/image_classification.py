"""Image classification. OIP: image BYTES [n] -> label BYTES [n, k], score FP32 [n, k]."""

from __future__ import annotations

from pydantic import Field

from ..base import Aliases, Example, Task, Widget
from ..labels import LABEL, SCORE, ClassificationResult, LabelsOutput
from ..samples import PNG
from .images import MAX_PIXELS, ImagesInput


class ImageClassificationInput(ImagesInput):
    """Images to classify."""

    top_k: int = Field(default=5, ge=1, description="Most labels to answer per image.")


class ImageClassificationOutput(LabelsOutput):
    """Per image, the likeliest labels first."""


TASK = Task(
    name="image-classification",
    family="vision",
    title="Image classification",
    description="Names what an image shows, with a probability per label.",
    input=ImageClassificationInput,
    output=ImageClassificationOutput,
    outputs=(LABEL, SCORE),
    default_model="google/vit-base-patch16-224",
    max_row_cost=MAX_PIXELS,
    widget=Widget(("image",), "labels"),
    aliases=Aliases(huggingface=("image-classification",), instill="TASK_CLASSIFICATION"),
    example=Example(
        ImageClassificationInput(images=[PNG], top_k=2),
        ImageClassificationOutput(
            results=[
                [
                    ClassificationResult(label="fog", score=0.75),
                    ClassificationResult(label="wall", score=0.125),
                ]
            ]
        ),
    ),
)
