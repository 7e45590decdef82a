"""Visual question answering. OIP: image BYTES [n], question BYTES [1] -> answer BYTES, score FP32
[n, k].

The tests' model has random weights: no trained one comes with a dependency.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from ...protocol.datatypes import Datatype
from ..base import Aliases, Example, Task, Widget
from ..items import ItemsOutput
from ..samples import PNG
from ..tensors import TensorSpec
from ..text.texts import BoundedInput
from ..vision.images import IMAGE, MAX_PIXELS, ImagesInput

QUESTION = TensorSpec("question", Datatype.BYTES, (1,), "question", "text")
ANSWER = TensorSpec("answer", Datatype.BYTES, (-1, -1), "results", "text")
SCORE = TensorSpec("score", Datatype.FP32, (-1, -1), "results")


class VisualQuestionAnsweringInput(ImagesInput, BoundedInput):
    """Images, and one question about each of them."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (IMAGE, QUESTION)

    question: str = Field(min_length=1, description="The question, one for all images.")
    top_k: int = Field(default=1, ge=1, description="Most answers per image.")


class VisualAnswer(BaseModel):
    """An answer and how sure the model is of it."""

    model_config = ConfigDict(frozen=True)

    answer: str
    score: float = Field(description="Probability, 0 to 1.")


class VisualQuestionAnsweringOutput(ItemsOutput):
    """Per image, the likeliest answers first."""

    ITEM: ClassVar[type[BaseModel]] = VisualAnswer
    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (ANSWER, SCORE)
    ROWS: ClassVar[tuple[str, ...]] = ("results",)

    results: list[list[VisualAnswer]]


TASK = Task(
    name="visual-question-answering",
    family="multimodal",
    title="Visual question answering",
    description="Answers a question about an image in a word or two, with a score per answer.",
    input=VisualQuestionAnsweringInput,
    output=VisualQuestionAnsweringOutput,
    outputs=(ANSWER, SCORE),
    default_model="dandelin/vilt-b32-finetuned-vqa",
    max_row_cost=MAX_PIXELS,
    widget=Widget(("image", "text"), "labels"),
    aliases=Aliases(huggingface=("visual-question-answering", "vqa")),
    example=Example(
        VisualQuestionAnsweringInput(images=[PNG], question="What colour is it?", top_k=2),
        VisualQuestionAnsweringOutput(
            results=[
                [VisualAnswer(answer="grey", score=0.875), VisualAnswer(answer="blue", score=0.125)]
            ]
        ),
    ),
)
