"""Multimodal embedding. OIP: image BYTES [n], text BYTES [n] -> embedding FP32 [n, dim].

A row is an image or a text, and both get vectors of one space: the angle between an image's and a
text's tells how well they fit (CLIP, Radford et al., 2021; SigLIP, Zhai et al., 2023). A request
has images, or texts, or both: then each row's other entry is empty. The vectors are the model's
`get_image_features` and `get_text_features`; texts are filled up as each model was trained.

`wherry up --sample-models` serves a CLIP that `training.clip` trained: tests have it find the name
of a drawing.
"""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator

from ...protocol.datatypes import Datatype
from .. import cost
from ..base import Aliases, Example, Task, Widget
from ..samples import PNG
from ..samples import TEXT as SAMPLE
from ..tensors import TensorSpec
from ..text.embedding import EMBEDDING, EmbeddingOutput
from ..text.texts import BoundedInput
from ..vision.images import MAX_PIXELS

IMAGE = TensorSpec("image", Datatype.BYTES, (-1,), "images", "image", optional=True)
TEXT = TensorSpec("text", Datatype.BYTES, (-1,), "texts", "text", optional=True)

#: Pixels that a token weighs: an image's patch of 16 x 16 is a token, too.
_TOKEN_PIXELS = 256


class MultimodalEmbeddingInput(BoundedInput):
    """Images and texts to embed: each row is one or the other."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (IMAGE, TEXT)
    ROWS: ClassVar[tuple[str, ...]] = ("images", "texts")
    ONE_OF: ClassVar[tuple[str, ...]] = ROWS

    images: list[bytes] | None = Field(
        default=None, min_length=1, description="Image files, one a row; empty where it is a text."
    )
    texts: list[str] | None = Field(
        default=None, min_length=1, description="Texts, one a row; empty where it is an image."
    )
    normalize: bool = Field(default=True, description="Scale each vector to length 1.")

    @property
    def row_count(self) -> int:
        """How many rows."""
        return len(self.images or self.texts or ())

    def is_image(self, row: int = 0) -> bool:
        """Whether a row is an image."""
        return bool(self.images and (self.texts is None or self.images[row]))

    def rows(self) -> list[Self]:
        """One input a row, with nothing but its image or its text."""
        return [self._row(row) for row in range(self.row_count)]

    def _row(self, row: int) -> Self:
        image, text = self.images or [], self.texts or []
        is_image = self.is_image(row)
        alone = {"images": image[row : row + 1] if is_image else None}
        return self.model_copy(update={**alone, "texts": None if is_image else text[row : row + 1]})

    def costs(self) -> list[int]:
        """Pixels of images; a token of a text weighs as many as a patch of an image has."""
        return [
            cost.weigh("pixels", "image", row.images[0], None)
            if row.images
            else _TOKEN_PIXELS * max(1, cost.weigh("tokens", "text", (row.texts or [""])[0], None))
            for row in self.rows()
        ]

    @model_validator(mode="after")
    def _check_each_is_one(self) -> Self:
        if self.images is None and self.texts is None:
            raise ValueError("images, texts: give one of the two, or both")
        pairs = zip(self.images or (), self.texts or (), strict=False)  # both are as long, or none
        for row, (image, text) in enumerate(pairs):
            if image and text:
                raise ValueError(f"row {row} has an image and a text: leave one of them empty")
            if not image and not text:
                raise ValueError(f"row {row} has neither an image nor a text")
        return self


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
