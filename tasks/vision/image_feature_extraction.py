"""Image feature extraction. OIP: image BYTES [n] -> embedding FP32 [n, dim].

Tests ask a CLIP, trained by `training.clip`, whether drawings of one colour and shape
are close; `wherry up --sample-models` serves it.
"""

from __future__ import annotations

from pydantic import Field

from ..base import Aliases, Example, Task, Widget
from ..samples import PNG
from ..text.embedding import EMBEDDING, EmbeddingOutput
from .images import MAX_PIXELS, ImagesInput


class ImageFeatureExtractionInput(ImagesInput):
    """Images to embed."""

    pool: bool = Field(
        default=False,
        description="Answer the model's pooled output; by default the first token's vector, or "
        "the mean over positions where the model has no such token.",
    )


class ImageFeatureExtractionOutput(EmbeddingOutput):
    """Per image, its vector."""


TASK = Task(
    name="image-feature-extraction",
    family="vision",
    title="Image feature extraction",
    description="Turns images into vectors that are close where the images are alike.",
    input=ImageFeatureExtractionInput,
    output=ImageFeatureExtractionOutput,
    outputs=(EMBEDDING,),
    default_model="facebook/dinov2-small",
    max_row_cost=MAX_PIXELS,
    widget=Widget(("image",), "vector"),
    aliases=Aliases(huggingface=("image-feature-extraction",), instill="TASK_EMBEDDING"),
    example=Example(
        ImageFeatureExtractionInput(images=[PNG], pool=True),
        ImageFeatureExtractionOutput(embeddings=[[0.5, -0.25, 0.875]]),
    ),
)
