from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, field_validator, model_validator

from ...protocol.datatypes import Datatype
from ..base import TaskInput
from ..tensors import TensorSpec

IMAGE = TensorSpec("image", Datatype.BYTES, (-1,), "images", "image")

#: Pixels of one image, at most.
MAX_PIXELS = 100_000_000


class PicturesInput(TaskInput):
    """A batch of rows with image files in them."""

    background: str = Field(
        default="white",
        pattern="^(#[0-9A-Fa-f]{6}|[A-Za-z]+)$",
        description="What transparent pictures are laid on: a CSS colour name, or #rrggbb.",
    )

    @field_validator("background")
    @classmethod
    def _check_colour(cls, value: str) -> str:
        if not value.startswith("#") and value != "white":
            try:
                from PIL.ImageColor import colormap  # what tasks there are is told without Pillow
            except ImportError:
                return value  # the worker will look
            if value.lower() not in colormap:
                raise ValueError("no CSS colour of this name; or say #rrggbb")
        return value

    def unread(self) -> str:
        """What of one row's files no model looks at, for a warning; "" for nothing."""
        from ..media.unread import unread_pages  # for workers: it looks into the files

        files = [entry for spec, entry in self._entries(0) if spec.content == "image"]
        return unread_pages(files)


class ImagesInput(PicturesInput):
    """A batch of image files of any kind that docs/media.md names."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (IMAGE,)
    ROWS: ClassVar[tuple[str, ...]] = ("images",)

    images: list[bytes] = Field(min_length=1, description="Image files, one a row.")

    @model_validator(mode="before")
    @classmethod
    def _accept_one_image(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and "image" in fields and "images" not in fields:
            rest = {name: value for name, value in fields.items() if name != "image"}
            return {**rest, "images": [fields["image"]]}
        return fields
