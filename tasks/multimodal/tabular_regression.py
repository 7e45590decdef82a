"""Tabular regression. OIP: row BYTES [n] of JSON -> prediction FP64 [n, targets].

A row is {column: cell}, or a list of cells in the columns' order. Most models have one target.
"""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field

from ...protocol import v2
from ...protocol.datatypes import Datatype
from ..base import Aliases, Example, Task, TaskOutput, Widget
from ..tensors import TensorSpec, padded, unpadded
from .tabular import MAX_CELLS, TabularInput

PREDICTION = TensorSpec("prediction", Datatype.FP64, (-1, -1), "predictions")


class TabularRegressionInput(TabularInput):
    """Rows to predict numbers of."""


class TabularRegressionOutput(TaskOutput):
    """Per row, a number for each target of the model."""

    ROWS: ClassVar[tuple[str, ...]] = ("predictions",)

    predictions: list[list[float]] = Field(description="Numbers, one a target.")

    @classmethod
    def empty(cls) -> Self:
        """No numbers."""
        return cls(predictions=[[]])

    def to_inference_response(self, model_name: str) -> v2.InferenceResponse:
        """The tensor prediction."""
        tensor = padded(PREDICTION, self.predictions, 0.0)
        return v2.InferenceResponse.of(model_name, [tensor])

    @classmethod
    def from_inference_response(cls, response: v2.InferenceResponse) -> Self:
        """Read prediction."""
        return cls(predictions=unpadded(response.output(PREDICTION.name)))


TASK = Task(
    name="tabular-regression",
    family="multimodal",
    title="Tabular regression",
    description="Predicts a number for each row of a table.",
    input=TabularRegressionInput,
    output=TabularRegressionOutput,
    outputs=(PREDICTION,),
    default_model="scikit-learn/Fish-Weight",
    max_row_cost=MAX_CELLS,
    widget=Widget(("record",), "vector"),
    aliases=Aliases(huggingface=("tabular-regression",)),
    example=Example(
        TabularRegressionInput(records=[{"length_m": 12.5, "sails": 1, "rig": "gaff"}]),
        TabularRegressionOutput(predictions=[[7.25]]),
    ),
)
