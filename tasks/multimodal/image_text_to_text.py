"""Text about images. OIP: image BYTES [n], text BYTES [n] or [1] -> text BYTES [n].

Each text is what a user says beside the image; models that have a chat template get it so. Others
are asked as their documentation has it: Florence-2 by the name of a task (`<OD>`, `<CAPTION>`),
PaliGemma in its words (`caption en`), Donut and Pix2Struct by the start of what they are to write.
Places and fields are answered as JSON: Florence-2's boxes and polygons in pixels of the image,
Donut's fields, the entities of a Kosmos-2 that is asked with `<grounding>`.
The tests' model has random weights: no trained one comes with a dependency.
"""

from __future__ import annotations

from typing import ClassVar

from ..base import Aliases, Example, Task, Widget
from ..samples import PNG
from ..tensors import TensorSpec
from ..text.generation import OF_ONE_SIZE
from ..text.texts import TEXT
from ..vision.images import IMAGE, MAX_PIXELS, ImagesInput
from .asked import OWN, AskedInput
from .written import WRITTEN, WrittenOutput


class ImageTextToTextInput(AskedInput, ImagesInput):
    """Images, and a text to answer beside each; one text serves all images."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (IMAGE, TEXT)
    ROWS: ClassVar[tuple[str, ...]] = ("images", "texts")


class ImageTextToTextOutput(WrittenOutput):
    """Per image, the text written."""


TASK = Task(
    name="image-text-to-text",
    family="multimodal",
    title="Text from image and text",
    description="Answers a text beside an image in free words, as vision-language models do.",
    input=ImageTextToTextInput,
    output=ImageTextToTextOutput,
    outputs=(WRITTEN,),
    default_model="llava-hf/llava-interleave-qwen-0.5b-hf",
    max_row_cost=MAX_PIXELS,
    widget=Widget(("image", "text"), "text"),
    aliases=Aliases(
        huggingface=("image-text-to-text",),
        instill="TASK_CHAT",
        pixano=("text_image_conditional_generation", "vlm"),
    ),
    own=OWN,
    of_one_size=OF_ONE_SIZE,
    example=Example(
        ImageTextToTextInput(images=[PNG], texts=["What is this?"]),
        ImageTextToTextOutput(texts=["A grey square."]),
    ),
)
