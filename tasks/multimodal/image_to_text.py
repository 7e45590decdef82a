"""Image captioning. OIP: image BYTES [n] -> text BYTES [n].

The tests' model has random weights: no trained one comes with a dependency.
"""

from __future__ import annotations

from pydantic import Field

from ..base import Aliases, Example, Task, Widget
from ..samples import PNG
from ..text.generation import MAX_NEW_TOKENS, OF_ONE_SIZE
from ..vision.images import MAX_PIXELS, ImagesInput
from .written import WRITTEN, WrittenOutput


class ImageToTextInput(ImagesInput):
    """Images to describe."""

    max_new_tokens: int = Field(
        default=50,
        ge=1,
        le=MAX_NEW_TOKENS,
        description="Tokens to write per image at most, within the model's positions.",
    )


class ImageToTextOutput(WrittenOutput):
    """Per image, its caption."""


TASK = Task(
    name="image-to-text",
    family="multimodal",
    title="Image captioning",
    description="Describes an image in a sentence.",
    input=ImageToTextInput,
    output=ImageToTextOutput,
    outputs=(WRITTEN,),
    default_model="nlpconnect/vit-gpt2-image-captioning",
    max_row_cost=MAX_PIXELS,
    widget=Widget(("image",), "text"),
    aliases=Aliases(huggingface=("image-to-text",)),
    own=("max_new_tokens",),
    of_one_size=OF_ONE_SIZE,
    example=Example(ImageToTextInput(images=[PNG]), ImageToTextOutput(texts=["a grey square"])),
)
