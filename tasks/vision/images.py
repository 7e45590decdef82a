from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, model_validator

from ...protocol.datatypes import Datatype
from ..base import TaskInput
from ..tensors import TensorSpec

IMAGE = TensorSpec("image", Datatype.BYTES, (-1,), "images", "image")

#: Pixels of one image, at most.
MAX_PIXELS = 100_000_000


class ImagesInput(TaskInput):
    """A batch of image files in any format that Pillow reads."""

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
