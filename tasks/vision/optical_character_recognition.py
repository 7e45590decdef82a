"""Reading text in images. OIP: image BYTES [n] -> text BYTES, score FP32 [n, m], box FP32
[n, m, 4], page INT32 [n, m].

An item is a line. Boxes are upright, xmin, ymin, xmax, ymax in pixels of the image as sent, of a
PDF's page as it is drawn (`dpi`). `page` counts from 1: a file of several pages (PDF, TIFF) is read
whole, page by page, in their order.
The tests' pages are read by the trained PP-OCR of rapidocr; their TrOCR has random weights.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from ...protocol.datatypes import Datatype
from ..base import Aliases, Example, Task, Widget
from ..boxes import BoundingBox
from ..samples import PNG
from ..tensors import TensorSpec
from .documents import DocumentsInput, DocumentsOutput
from .images import MAX_PIXELS

TEXT = TensorSpec("text", Datatype.BYTES, (-1, -1), "lines", "text")
SCORE = TensorSpec("score", Datatype.FP32, (-1, -1), "lines")
BOX = TensorSpec("box", Datatype.FP32, (-1, -1, 4), "lines")
PAGE = TensorSpec("page", Datatype.INT32, (-1, -1), "lines", optional=True)


class OpticalCharacterRecognitionInput(DocumentsInput):
    """Images and documents to read."""

    threshold: float = Field(
        default=0.5, ge=0, le=1, description="Least score of an answered line."
    )


class TextLine(BaseModel):
    """A line of text: what it says, how sure, where."""

    model_config = ConfigDict(frozen=True)

    text: str
    score: float = Field(description="Mean probability of its characters or tokens, 0 to 1.")
    box: BoundingBox
    page: int = Field(default=1, description="Number of its page, from 1.")


class OpticalCharacterRecognitionOutput(DocumentsOutput):
    """Per image, its lines in reading order; of a document page by page."""

    ITEM: ClassVar[type[BaseModel]] = TextLine
    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (TEXT, SCORE, BOX, PAGE)
    ROWS: ClassVar[tuple[str, ...]] = ("lines",)

    lines: list[list[TextLine]]


TASK = Task(
    name="optical-character-recognition",
    family="vision",
    title="Text recognition",
    description="Reads the text in an image, line by line, with a box and a score for each.",
    input=OpticalCharacterRecognitionInput,
    output=OpticalCharacterRecognitionOutput,
    outputs=(TEXT, SCORE, BOX, PAGE),
    default_model="microsoft/trocr-base-printed",
    max_row_cost=MAX_PIXELS,
    widget=Widget(("image",), "boxes"),
    aliases=Aliases(instill="TASK_OCR"),
    example=Example(
        OpticalCharacterRecognitionInput(images=[PNG]),
        OpticalCharacterRecognitionOutput(
            lines=[
                [
                    TextLine(
                        text="Total: 39.50 EUR",
                        score=0.875,
                        box=BoundingBox(xmin=1, ymin=2, xmax=7, ymax=6.5),
                    )
                ]
            ]
        ),
    ),
)
