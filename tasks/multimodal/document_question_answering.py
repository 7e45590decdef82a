"""Document question answering. OIP: image, question BYTES [n] -> answer BYTES, score FP32, start,
end, page INT32 [n, k].

Optional tensor word_boxes [n], JSON: the page's words as `[word, [x0, y0, x1, y1]]`, edges in
thousandths of the page. Without it the page is read first, by the package rapidocr. start and end
count words of the page, both included. page counts from 1: all pages of a file (PDF, TIFF) are
asked, and of their answers the best come first. A LayoutLM goes by the words alone, a LayoutLMv3
looks at the page too.

The tests' model has random weights: no trained one comes with a dependency.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, Strict

from ...protocol.datatypes import Datatype
from ...protocol.errors import RowError
from ..base import Aliases, Example, Task, TaskInput, Widget
from ..samples import PNG
from ..tensors import TensorSpec
from ..vision.documents import DocumentsInput, DocumentsOutput
from ..vision.images import IMAGE, MAX_PIXELS

QUESTION = TensorSpec("question", Datatype.BYTES, (-1,), "questions", "text")
WORD_BOXES = TensorSpec("word_boxes", Datatype.BYTES, (-1,), "word_boxes", "json", optional=True)
ANSWER = TensorSpec("answer", Datatype.BYTES, (-1, -1), "results", "text")
SCORE = TensorSpec("score", Datatype.FP32, (-1, -1), "results")
START = TensorSpec("start", Datatype.INT32, (-1, -1), "results")
END = TensorSpec("end", Datatype.INT32, (-1, -1), "results")
PAGE = TensorSpec("page", Datatype.INT32, (-1, -1), "results", optional=True)

# JSON has lists alone, and a strict tuple would refuse them.
_Edge = Annotated[float, Field(ge=0, le=1000)]
_Box = Annotated[tuple[_Edge, _Edge, _Edge, _Edge], Strict(False)]
WordBox = Annotated[tuple[str, _Box], Strict(False)]


class DocumentQuestionAnsweringInput(DocumentsInput):
    """Pages, a question about each, and the words on each where the caller knows them."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (IMAGE, QUESTION, WORD_BOXES)
    ROWS: ClassVar[tuple[str, ...]] = ("images", "questions", "word_boxes")

    questions: list[str] = Field(min_length=1, description="Questions, one an image.")
    word_boxes: list[list[WordBox] | None] | None = Field(
        default=None,
        description="Per image its words and their boxes, edges 0 to 1000; null: read the image.",
    )
    top_k: int = Field(default=1, ge=1, description="Most answers per image.")
    max_answer_len: int = Field(default=15, ge=1, description="Tokens of an answer, at most.")

    def parts(self) -> Sequence[Self]:
        """A row a page. Raises RowError for several pages of which the words are told."""
        if not self.word_boxes or self.word_boxes[0] is None:
            return super().parts()
        try:
            parts = super().parts()
        except RowError:
            return [self]  # who is told the words may look at no picture
        if len(parts) > 1:
            raise RowError(
                f"word_boxes are those of one page, and the file has {len(parts)}: leave them out, "
                "or say frames=first"
            )
        return parts


class DocumentAnswer(BaseModel):
    """An answer, how sure the model is of it, and which words of the page it is."""

    model_config = ConfigDict(frozen=True)

    answer: str
    score: float = Field(description="Probability, 0 to 1.")
    start: int = Field(description="Number of the answer's first word, from 0.")
    end: int = Field(description="Number of its last word.")
    page: int = Field(default=1, description="Number of its page, from 1.")


class DocumentQuestionAnsweringOutput(DocumentsOutput):
    """Per image, the likeliest answers first."""

    ITEM: ClassVar[type[BaseModel]] = DocumentAnswer
    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (ANSWER, SCORE, START, END, PAGE)
    ROWS: ClassVar[tuple[str, ...]] = ("results",)

    results: list[list[DocumentAnswer]]

    @classmethod
    def ordered(cls, items: list[DocumentAnswer], row: TaskInput) -> list[DocumentAnswer]:
        """The best of all pages."""
        assert isinstance(row, DocumentQuestionAnsweringInput)
        return sorted(items, key=lambda item: -item.score)[: row.top_k]


TASK = Task(
    name="document-question-answering",
    family="multimodal",
    title="Document question answering",
    description="Finds the words of a page that answer a question.",
    input=DocumentQuestionAnsweringInput,
    output=DocumentQuestionAnsweringOutput,
    outputs=(ANSWER, SCORE, START, END, PAGE),
    default_model="impira/layoutlm-document-qa",
    max_row_cost=MAX_PIXELS,
    widget=Widget(("image", "text", "json"), "spans"),
    aliases=Aliases(huggingface=("document-question-answering",)),
    example=Example(
        DocumentQuestionAnsweringInput(
            images=[PNG],
            questions=["What is the total?"],
            word_boxes=[[("Total", (100, 100, 200, 150)), ("39.50", (220, 100, 320, 150))]],
        ),
        DocumentQuestionAnsweringOutput(
            results=[[DocumentAnswer(answer="39.50", score=0.875, start=1, end=1)]]
        ),
    ),
)
