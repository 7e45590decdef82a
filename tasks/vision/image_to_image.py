"""Image to image: super resolution. OIP: image BYTES [n] -> image BYTES [n] (PNG).

No trained model is at hand without a download: tests prove parity with random weights.
"""

from __future__ import annotations

from typing import ClassVar, Self

from ...protocol import v2
from ..base import Aliases, Example, Task, TaskOutput, Widget
from ..samples import PNG
from ..tensors import column, values_of
from .images import IMAGE, ImagesInput

#: Pixels of one image, at most: the model keeps every pixel's features, and answers more pixels.
_MAX_PIXELS = 2**22


class ImageToImageInput(ImagesInput):
    """Images to enlarge."""


class ImageToImageOutput(TaskOutput):
    """Per image, the model's image of it, as PNG."""

    ROWS: ClassVar[tuple[str, ...]] = ("images",)

    images: list[bytes]

    @classmethod
    def empty(cls) -> Self:
        """No image."""
        return cls(images=[b""])

    def to_inference_response(self, model_name: str) -> v2.InferenceResponse:
        """A file per image."""
        return v2.InferenceResponse.of(model_name, [column(IMAGE, self.images)])

    @classmethod
    def from_inference_response(cls, response: v2.InferenceResponse) -> Self:
        """Read image."""
        return cls(images=values_of(IMAGE, response))


TASK = Task(
    name="image-to-image",
    family="vision",
    title="Image to image",
    description="Enlarges images, with the detail that a model makes out.",
    input=ImageToImageInput,
    output=ImageToImageOutput,
    outputs=(IMAGE,),
    default_model="caidas/swin2SR-classical-sr-x2-64",
    max_row_cost=_MAX_PIXELS,
    widget=Widget(("image",), "image"),
    aliases=Aliases(huggingface=("image-to-image",), instill="TASK_IMAGE_TO_IMAGE"),
    example=Example(ImageToImageInput(images=[PNG]), ImageToImageOutput(images=[PNG])),
)
