"""Text to image. OIP: prompt BYTES [n] -> image BYTES [n], PNG files.

The tests' model has random weights: no trained one comes with a dependency.
"""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator

from ...protocol import v2
from ...protocol.datatypes import Datatype
from ..base import Aliases, Example, Task, TaskOutput, Widget
from ..samples import PNG
from ..tensors import TensorSpec, column, values_of
from ..text.texts import BoundedInput

PROMPT = TensorSpec("prompt", Datatype.BYTES, (-1,), "prompts", "text")
PICTURE = TensorSpec("image", Datatype.BYTES, (-1,), "images", "image")

#: Tokens of one prompt, at most; text encoders cut at far less.
_MAX_PROMPT_TOKENS = 10_000


class TextToImageInput(BoundedInput):
    """Descriptions of pictures."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (PROMPT,)
    ROWS: ClassVar[tuple[str, ...]] = ("prompts",)

    prompts: list[str] = Field(min_length=1, description="What to draw, one picture a row.")
    negative_prompt: str | None = Field(
        default=None, description="What to keep out of every picture."
    )
    num_inference_steps: int = Field(default=50, ge=1, le=1000, description="Steps of denoising.")
    guidance_scale: float = Field(
        default=7.5, ge=0, le=100, description="How closely to follow the prompt; 1 and less: off."
    )
    width: int | None = Field(
        default=None, ge=8, le=4096, multiple_of=8, description="Pixels; the model's own if unset."
    )
    height: int | None = Field(
        default=None, ge=8, le=4096, multiple_of=8, description="Pixels; the model's own if unset."
    )
    seed: int | None = Field(
        default=None,
        ge=0,
        lt=2**63,
        description="Draws a prompt's same picture again; else chance.",
    )

    @model_validator(mode="after")
    def _check_size(self) -> Self:
        # Diffusers would take the model's own size for both, and say nothing.
        if (self.width is None) is not (self.height is None):
            raise ValueError("width, height: expected both or neither")
        return self


class TextToImageOutput(TaskOutput):
    """Per prompt, its picture."""

    ROWS: ClassVar[tuple[str, ...]] = ("images",)

    images: list[bytes] = Field(description="PNG files.")

    @classmethod
    def empty(cls) -> Self:
        """No picture."""
        return cls(images=[b""])

    def to_inference_response(self, model_name: str) -> v2.InferenceResponse:
        """image, one a prompt."""
        return v2.InferenceResponse.of(model_name, [column(PICTURE, self.images)])

    @classmethod
    def from_inference_response(cls, response: v2.InferenceResponse) -> Self:
        """Read image."""
        return cls(images=values_of(PICTURE, response))


TASK = Task(
    name="text-to-image",
    family="multimodal",
    title="Text to image",
    description="Draws what a text describes.",
    input=TextToImageInput,
    output=TextToImageOutput,
    outputs=(PICTURE,),
    default_model="stable-diffusion-v1-5/stable-diffusion-v1-5",
    max_row_cost=_MAX_PROMPT_TOKENS,
    widget=Widget(("text",), "images"),
    aliases=Aliases(huggingface=("text-to-image",), instill="TASK_TEXT_TO_IMAGE"),
    group_by=("num_inference_steps", "guidance_scale", "width", "height"),
    example=Example(
        TextToImageInput(prompts=["a grey square"], num_inference_steps=2, seed=0),
        TextToImageOutput(images=[PNG]),
    ),
)
