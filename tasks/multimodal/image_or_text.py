"""Inputs whose rows are images or texts, among each other."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator

from ...protocol.datatypes import Datatype
from .. import cost
from ..tensors import TensorSpec
from ..vision.images import PicturesInput

IMAGE = TensorSpec("image", Datatype.BYTES, (-1,), "images", "image", optional=True)
TEXT = TensorSpec("text", Datatype.BYTES, (-1,), "texts", "text", optional=True)

#: Pixels that a token weighs: an image's patch of 16 x 16 is a token, too.
_TOKEN_PIXELS = 256


class ImageOrTextInput(PicturesInput):
    """Rows of which each is an image or a text."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (IMAGE, TEXT)
    ROWS: ClassVar[tuple[str, ...]] = ("images", "texts")
    ONE_OF: ClassVar[tuple[str, ...]] = ROWS

    images: list[bytes] | None = Field(
        default=None, min_length=1, description="Image files, one a row; empty where it is a text."
    )
    texts: list[str] | None = Field(
        default=None, min_length=1, description="Texts, one a row; empty where it is an image."
    )

    @property
    def row_count(self) -> int:
        """How many rows."""
        return len(self.images or self.texts or ())

    def is_image(self, row: int = 0) -> bool:
        """Whether a row is an image."""
        return bool(self.images and (self.texts is None or self.images[row]))

    def row(self, number: int) -> Self:
        """One of several rows, with nothing but its image or its text."""
        is_image = self.is_image(number)
        images, texts = (values and [values[number]] for values in (self.images, self.texts))
        return self.model_copy(
            update={"images": images if is_image else None, "texts": None if is_image else texts}
        )

    def costs(self) -> list[int]:
        """Pixels of images; a token of a text weighs as many as a patch of an image has."""
        return [self._cost(number) for number in range(self.row_count)]

    def _cost(self, number: int) -> int:
        if self.images and self.is_image(number):
            return cost.weigh("pixels", "image", self.images[number], None)
        text = self.texts[number] if self.texts else ""
        return _TOKEN_PIXELS * max(1, cost.weigh("tokens", "text", text, None))

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
