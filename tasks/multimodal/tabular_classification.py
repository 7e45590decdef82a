"""Tabular classification. OIP: row BYTES [n] of JSON -> prediction BYTES [n], label, score.

A row is {column: cell}, or a list of cells in the columns' order. prediction is what the model
predicts. label BYTES and score FP32 are [n, classes], the likeliest first, with no classes of a
model that has no probabilities; some models predict another than the likeliest, as they are fitted.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import Field

from ...protocol import v2
from ...protocol.datatypes import Datatype
from ..base import Aliases, Example, Task, TaskOutput, Widget
from ..labels import LABEL, SCORE, ClassificationResult, LabelsOutput
from ..tensors import TensorSpec, column, values_of
from .tabular import MAX_CELLS, TabularInput

PREDICTION = TensorSpec("prediction", Datatype.BYTES, (-1,), "predictions", "text")


class TabularClassificationInput(TabularInput):
    """Rows to classify."""


class TabularClassificationOutput(TaskOutput):
    """Per row, the class that the model predicts, and each class with its probability."""

    ROWS: ClassVar[tuple[str, ...]] = ("predictions", "results")

    predictions: list[str] = Field(description="Classes as texts.")
    results: list[list[ClassificationResult]]

    @classmethod
    def empty(cls) -> Self:
        """No class."""
        return cls(predictions=[""], results=[[]])

    def to_inference_response(self, model_name: str) -> v2.InferenceResponse:
        """The tensors prediction, label and score."""
        scored = LabelsOutput(results=self.results).to_inference_response(model_name)
        predicted: list[Any] = [column(PREDICTION, self.predictions)]
        return scored.model_copy(update={"outputs": [*predicted, *scored.outputs]})

    @classmethod
    def from_inference_response(cls, response: v2.InferenceResponse) -> Self:
        """Read prediction, label and score."""
        scored = LabelsOutput.from_inference_response(response)
        return cls(predictions=values_of(PREDICTION, response), results=scored.results)


TASK = Task(
    name="tabular-classification",
    family="multimodal",
    title="Tabular classification",
    description="Tells the class of each row of a table.",
    input=TabularClassificationInput,
    output=TabularClassificationOutput,
    outputs=(PREDICTION, LABEL, SCORE),
    default_model="scikit-learn/tabular-playground",
    max_row_cost=MAX_CELLS,
    widget=Widget(("record",), "labels"),
    aliases=Aliases(huggingface=("tabular-classification",)),
    example=Example(
        TabularClassificationInput(records=[{"length_m": 12.5, "sails": 1, "rig": "gaff"}]),
        TabularClassificationOutput(
            predictions=["wherry"],
            results=[
                [
                    ClassificationResult(label="wherry", score=0.75),
                    ClassificationResult(label="barge", score=0.25),
                ]
            ],
        ),
    ),
)
