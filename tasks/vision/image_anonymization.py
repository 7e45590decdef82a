"""Image anonymization.

OIP: image BYTES [n] -> anonymized_image BYTES [n] (PNG), num_regions_anonymized INT32 [n].

A detector finds the regions; all else stays as it was, but for what the file said of itself: the
answer is an upright PNG without metadata.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator

from ...protocol import v2
from ...protocol.datatypes import Datatype
from ...protocol.errors import InvalidRequest
from ...protocol.json_text import parse_json
from ..base import Aliases, Example, Task, TaskOutput, Widget
from ..samples import PNG
from ..tensors import TensorSpec, column, values_of
from .images import MAX_PIXELS, ImagesInput

ANONYMIZED = TensorSpec("anonymized_image", Datatype.BYTES, (-1,), "anonymized_images", "image")
REGIONS = TensorSpec("num_regions_anonymized", Datatype.INT32, (-1,), "num_regions_anonymized")

Strategy = Literal["blur", "pixelate", "black_box"]


class ImageAnonymizationInput(ImagesInput):
    """Images to make unrecognisable where something is found."""

    strategy: Strategy = Field(default="blur", description="What becomes of a region.")
    blur_radius: int = Field(default=51, ge=1, le=1000, description="Radius of the blur in pixels.")
    threshold: float = Field(
        default=0.5, ge=0, le=1, description="Least score of a region that is anonymized."
    )
    classes: list[str] | None = Field(
        default=None,
        description="Labels of the regions to anonymize; all by default, none for an empty list.",
    )

    @field_validator("classes", mode="before")
    @classmethod
    def _accept_text(cls, classes: Any) -> Any:
        """OIP parameters hold no lists: strict clients send one as JSON in a string."""
        if isinstance(classes, str):
            try:
                return parse_json(classes)
            except InvalidRequest:
                raise ValueError("expected a list of labels, or one as JSON") from None
        return classes


class ImageAnonymizationOutput(TaskOutput):
    """Per image, the image without what was found, and how many regions that were."""

    ROWS: ClassVar[tuple[str, ...]] = ("anonymized_images", "num_regions_anonymized")

    anonymized_images: list[bytes]
    num_regions_anonymized: list[int]

    @classmethod
    def empty(cls) -> Self:
        """No image."""
        return cls(anonymized_images=[b""], num_regions_anonymized=[0])

    def to_inference_response(self, model_name: str) -> v2.InferenceResponse:
        """A file and a count per image."""
        return v2.InferenceResponse.of(
            model_name,
            [
                column(ANONYMIZED, self.anonymized_images),
                column(REGIONS, self.num_regions_anonymized),
            ],
        )

    @classmethod
    def from_inference_response(cls, response: v2.InferenceResponse) -> Self:
        """Read both tensors."""
        return cls(
            anonymized_images=values_of(ANONYMIZED, response),
            num_regions_anonymized=values_of(REGIONS, response),
        )


TASK = Task(
    name="image-anonymization",
    family="vision",
    title="Image anonymization",
    description="Blurs, pixelates or blackens what a detector finds in an image.",
    input=ImageAnonymizationInput,
    output=ImageAnonymizationOutput,
    outputs=(ANONYMIZED, REGIONS),
    default_model="hustvl/yolos-tiny",
    max_row_cost=MAX_PIXELS,
    widget=Widget(("image",), "image"),
    aliases=Aliases(),
    example=Example(
        ImageAnonymizationInput(images=[PNG], strategy="pixelate", classes=["person"]),
        ImageAnonymizationOutput(anonymized_images=[PNG], num_regions_anonymized=[1]),
    ),
)
