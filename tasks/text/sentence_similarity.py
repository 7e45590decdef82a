"""Sentence similarity. OIP: source_sentence BYTES [n], sentences BYTES [n] (a JSON list of texts
each) -> score FP32 [n, m].

The cosine between pooled vectors (Reimers and Gurevych, 2019). Models, how they pool, and the
trained ones of packages are those of `embedding`.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field

from ...protocol import v2
from ...protocol.datatypes import Datatype
from ..base import Aliases, Example, Task, TaskOutput, Widget
from ..samples import TEXT as SAMPLE
from ..tensors import TensorSpec, padded, unpadded
from .texts import MAX_TOKENS, CutInput

SOURCE_SENTENCE = TensorSpec("source_sentence", Datatype.BYTES, (-1,), "source_sentences", "text")
SENTENCES = TensorSpec("sentences", Datatype.BYTES, (-1,), "sentences", "json")
SCORE = TensorSpec("score", Datatype.FP32, (-1, -1), "scores")


class SentenceSimilarityInput(CutInput):
    """Sentences, and for each the ones it is compared with."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (SOURCE_SENTENCE, SENTENCES)
    ROWS: ClassVar[tuple[str, ...]] = ("source_sentences", "sentences")

    source_sentences: list[str] = Field(min_length=1, description="Sentences, one a row.")
    sentences: list[Annotated[list[str], Field(max_length=10_000)]] = Field(
        min_length=1, description="The sentences to compare each with, a list a row."
    )


class SentenceSimilarityOutput(TaskOutput):
    """Per row, how alike each of its sentences is: a cosine, -1 to 1."""

    ROWS: ClassVar[tuple[str, ...]] = ("scores",)
    WHOLE: ClassVar[TensorSpec | None] = SCORE

    scores: list[list[float]]

    @classmethod
    def empty(cls) -> Self:
        """No score."""
        return cls(scores=[[]])

    def to_inference_response(self, model_name: str) -> v2.InferenceResponse:
        """score, a list a row in the order of its sentences."""
        return v2.InferenceResponse.of(model_name, [padded(SCORE, self.scores, 0.0)])

    @classmethod
    def from_inference_response(cls, response: v2.InferenceResponse) -> Self:
        """Read score."""
        return cls(scores=unpadded(response.output(SCORE.name)))


TASK = Task(
    name="sentence-similarity",
    family="text",
    title="Sentence similarity",
    description="Tells how alike in meaning a sentence and others are.",
    input=SentenceSimilarityInput,
    output=SentenceSimilarityOutput,
    outputs=(SCORE,),
    default_model="sentence-transformers/all-MiniLM-L6-v2",
    max_row_cost=MAX_TOKENS,
    widget=Widget(("text", "texts"), "scores"),
    aliases=Aliases(huggingface=("sentence-similarity",)),
    example=Example(
        SentenceSimilarityInput(
            source_sentences=[SAMPLE, "Hello."],
            sentences=[["A fox leaps over a dog.", "Rates rose today."], ["Good morning."]],
        ),
        SentenceSimilarityOutput(scores=[[0.875, 0.125], [0.75]]),
    ),
)
