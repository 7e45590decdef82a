"""Extractive question answering. OIP: question BYTES [n], context BYTES [n] -> answer BYTES,
score FP32, start, end INT64 [n, k].

start and end count characters (Unicode code points) of the context as sent.

No trained model is at hand without a download: tests prove parity with random weights.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from ...protocol.datatypes import Datatype
from ..base import Aliases, Example, Task, Widget
from ..items import ItemsOutput
from ..samples import TEXT as SAMPLE
from ..tensors import TensorSpec
from .texts import MAX_TOKENS, BoundedInput

QUESTION = TensorSpec("question", Datatype.BYTES, (-1,), "questions", "text")
CONTEXT = TensorSpec("context", Datatype.BYTES, (-1,), "contexts", "text")
OUTPUTS = (
    TensorSpec("answer", Datatype.BYTES, (-1, -1), "answers", "text"),
    TensorSpec("score", Datatype.FP32, (-1, -1), "answers"),
    TensorSpec("start", Datatype.INT64, (-1, -1), "answers"),
    TensorSpec("end", Datatype.INT64, (-1, -1), "answers"),
)


class QuestionAnsweringInput(BoundedInput):
    """Questions, and a context for each that holds the answer."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (QUESTION, CONTEXT)
    ROWS: ClassVar[tuple[str, ...]] = ("questions", "contexts")

    questions: list[str] = Field(min_length=1, description="Questions, one a row.")
    contexts: list[str] = Field(min_length=1, description="The text to search, one a row.")
    top_k: int = Field(default=1, ge=1, description="Most answers per question.")
    doc_stride: int = Field(
        default=128,
        ge=1,
        description="Tokens that the pieces of a long context share.",
    )
    max_seq_len: int = Field(
        default=384, ge=8, description="Tokens of a piece, the question included, at most."
    )
    max_question_len: int = Field(
        default=64, ge=1, description="Tokens of a question, at most; what is longer is cut off."
    )
    max_answer_len: int = Field(default=15, ge=1, description="Tokens of an answer, at most.")
    handle_impossible_answer: bool = Field(
        default=False, description="Whether to answer nothing where that is likeliest."
    )
    align_to_words: bool = Field(
        default=True, description="Whether answers begin and end with whole words."
    )


class Answer(BaseModel):
    """A passage of the context; empty where the context holds no answer."""

    model_config = ConfigDict(frozen=True)

    answer: str
    score: float = Field(description="Probability, 0 to 1.")
    start: int = Field(description="First character in the context.")
    end: int = Field(description="First character after it.")


class QuestionAnsweringOutput(ItemsOutput):
    """Per question, the likeliest answers first."""

    ITEM: ClassVar[type[BaseModel]] = Answer
    TENSORS: ClassVar[tuple[TensorSpec, ...]] = OUTPUTS
    ROWS: ClassVar[tuple[str, ...]] = ("answers",)

    answers: list[list[Answer]]


TASK = Task(
    name="question-answering",
    family="text",
    title="Question answering",
    description="Finds the passage of a text that answers a question.",
    input=QuestionAnsweringInput,
    output=QuestionAnsweringOutput,
    outputs=OUTPUTS,
    default_model="distilbert/distilbert-base-cased-distilled-squad",
    max_row_cost=MAX_TOKENS,
    widget=Widget(("text", "text"), "spans"),
    aliases=Aliases(huggingface=("question-answering",)),
    example=Example(
        QuestionAnsweringInput(questions=["Who jumps over the dog?"], contexts=[SAMPLE]),
        QuestionAnsweringOutput(
            answers=[[Answer(answer="The quick brown fox", score=0.875, start=0, end=19)]]
        ),
    ),
)
