"""Zero-shot text classification. OIP: text BYTES [n], candidate_labels BYTES [L] ->
label BYTES [n, L], score FP32 [n, L].

A model of natural language inference judges each label as a hypothesis (Yin et al., 2019).

No trained model is at hand without a download: tests prove parity with random weights.
"""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator

from ...protocol.datatypes import Datatype
from ..base import Aliases, Example, Task, Widget
from ..labels import LABEL, SCORE, ClassificationResult, LabelsOutput
from ..samples import TEXT as SAMPLE
from ..tensors import TensorSpec
from .texts import MAX_TOKENS, TEXT, CutInput, TextsInput

CANDIDATE_LABELS = TensorSpec("candidate_labels", Datatype.BYTES, (-1,), "candidate_labels", "text")


class ZeroShotClassificationInput(TextsInput, CutInput):
    """Texts to classify, and the labels to choose from."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (TEXT, CANDIDATE_LABELS)

    candidate_labels: list[str] = Field(
        min_length=1, max_length=1000, description="Labels to choose from, the same for all rows."
    )
    hypothesis_template: str = Field(
        default="This example is {}.",
        max_length=1000,
        description="The sentence the model judges; {} stands for a label.",
    )
    multi_label: bool = Field(
        default=False, description="Whether labels are judged one by one, not against each other."
    )

    @model_validator(mode="after")
    def _template_has_a_place_for_the_label(self) -> Self:
        if "{}" not in self.hypothesis_template:
            raise ValueError("hypothesis_template: {} must stand where the label goes")
        return self


class ZeroShotClassificationOutput(LabelsOutput):
    """Per text, every label, the likeliest first."""


TASK = Task(
    name="zero-shot-classification",
    family="text",
    title="Zero-shot text classification",
    description="Sorts texts into labels that the request names; no training needed.",
    input=ZeroShotClassificationInput,
    output=ZeroShotClassificationOutput,
    outputs=(LABEL, SCORE),
    default_model="facebook/bart-large-mnli",
    max_row_cost=MAX_TOKENS,
    widget=Widget(("text", "labels"), "labels"),
    aliases=Aliases(huggingface=("zero-shot-classification",)),
    example=Example(
        ZeroShotClassificationInput(texts=[SAMPLE], candidate_labels=["animals", "politics"]),
        ZeroShotClassificationOutput(
            results=[
                [
                    ClassificationResult(label="animals", score=0.875),
                    ClassificationResult(label="politics", score=0.125),
                ]
            ]
        ),
    ),
)
