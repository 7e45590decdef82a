"""Multimodal embedding. OIP: image BYTES [n], text BYTES [n] -> embedding FP32 [n, dim].

A row is an image or a text, and both get vectors of one space: the angle between an image's and a
text's tells how well they fit (CLIP, Radford et al., 2021; SigLIP, Zhai et al., 2023). A request
has images, or texts, or both: then each row's other entry is empty. The vectors are the model's
`get_image_features` and `get_text_features`; texts are filled up as each model was trained.

What sentence-transformers makes of CLIP is the same without `normalize`; of its older folders name
the `0_CLIPModel` that is inside.

`wherry up --sample-models` serves a CLIP that `training.clip` trained: tests have it find the name
of a drawing.
"""

from __future__ import annotations

from pydantic import Field

from ..base import Aliases, Example, Task, Widget
from ..samples import PNG
from ..samples import TEXT as SAMPLE
from ..text.embedding import EMBEDDING, EmbeddingOutput
from ..text.texts import BoundedInput
from ..vision.images import MAX_PIXELS
from .image_or_text import ImageOrTextInput


class MultimodalEmbeddingInput(ImageOrTextInput, BoundedInput):
    """Images and texts to embed: each row is one or the other."""

    normalize: bool = Field(default=True, description="Scale each vector to length 1.")


class MultimodalEmbeddingOutput(EmbeddingOutput):
    """Per image or text, its vector."""


TASK = Task(
    name="multimodal-embedding",
    family="multimodal",
    title="Image and text embedding",
    description="Turns images and texts into vectors of one space, close where they fit.",
    input=MultimodalEmbeddingInput,
    output=MultimodalEmbeddingOutput,
    outputs=(EMBEDDING,),
    default_model="openai/clip-vit-base-patch32",
    max_row_cost=MAX_PIXELS,
    widget=Widget(("image", "text"), "vector"),
    aliases=Aliases(instill="TASK_EMBEDDING", pixano=("embedding",)),
    example=Example(
        MultimodalEmbeddingInput(images=[PNG, b""], texts=["", SAMPLE]),
        MultimodalEmbeddingOutput(embeddings=[[0.5, -0.5, 0.5, 0.5], [0.5, 0.5, -0.5, 0.5]]),
    ),
)
