"""Text classification. OIP: text BYTES [n] -> label BYTES [n, k], score FP32 [n, k].

A second text a row, `text_pair` BYTES [n], is optional: models that judge pairs want it.

No trained model is at hand without a download: tests prove parity with random weights.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from ...protocol.datatypes import Datatype
from ..base import Aliases, Example, Task, Widget
from ..labels import LABEL, SCORE, ClassificationResult, LabelsOutput
from ..samples import TEXT as SAMPLE
from ..tensors import TensorSpec
from .texts import MAX_TOKENS, TEXT, CutInput, TextsInput

TEXT_PAIR = TensorSpec("text_pair", Datatype.BYTES, (-1,), "text_pairs", "text", optional=True)


class TextClassificationInput(TextsInput, CutInput):
    """Texts to classify."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (TEXT, TEXT_PAIR)
    ROWS: ClassVar[tuple[str, ...]] = ("texts", "text_pairs")

    text_pairs: list[str] | None = Field(
        default=None, description="The second text of each row, for models that judge pairs."
    )
    top_k: int | None = Field(
        default=None, ge=1, description="Most labels to answer per text; all when not given."
    )
    function_to_apply: Literal["sigmoid", "softmax", "none"] | None = Field(
        default=None, description="What makes scores of logits; the model's own when not given."
    )


class TextClassificationOutput(LabelsOutput):
    """Per text, the likeliest labels first."""


TASK = Task(
    name="text-classification",
    family="text",
    title="Text classification",
    description="Names what a text is (its sentiment, its topic), with a probability per label.",
    input=TextClassificationInput,
    output=TextClassificationOutput,
    outputs=(LABEL, SCORE),
    default_model="distilbert/distilbert-base-uncased-finetuned-sst-2-english",
    max_row_cost=MAX_TOKENS,
    widget=Widget(("text", "text"), "labels"),
    aliases=Aliases(huggingface=("text-classification", "sentiment-analysis")),
    example=Example(
        TextClassificationInput(texts=[SAMPLE], top_k=2),
        TextClassificationOutput(
            results=[
                [
                    ClassificationResult(label="calm", score=0.75),
                    ClassificationResult(label="storm", score=0.25),
                ]
            ]
        ),
    ),
)
