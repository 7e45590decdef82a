"""Time-series forecasting. OIP: past_values FP32 [n, t] -> mean, quantiles and level.

Series of one channel, the oldest value first; shorter rows are padded at their end, and the
tensor's `row_lengths` says how much is real. mean FP32 is [n, horizon], quantiles FP32
[n, horizon, q], and level FP32 [n, q] says of which quantiles; the latter two are left out by a
model that has none (TimesFM, Das et al., 2024).

No trained model is at hand without a download: tests prove parity with random weights.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

from pydantic import Field

from ...protocol import v2
from ...protocol.datatypes import Datatype
from ..base import Aliases, Example, Task, TaskInput, TaskOutput, Widget
from ..tensors import TensorSpec, padded, unpadded

PAST = TensorSpec("past_values", Datatype.FP32, (-1, -1), "past_values")
FREQUENCY = TensorSpec("freq", Datatype.INT64, (-1,), "frequencies", optional=True)
MEAN = TensorSpec("mean", Datatype.FP32, (-1, -1), "means")
QUANTILES = TensorSpec("quantiles", Datatype.FP32, (-1, -1, -1), "quantiles", optional=True)
LEVEL = TensorSpec("level", Datatype.FP32, (-1, -1), "levels", optional=True)

#: Values of a series; models look at the last thousands.
MAX_VALUES = 100_000
_MAX_HORIZON = 10_000

Value = Annotated[float, Field(allow_inf_nan=False)]
Level = Annotated[float, Field(gt=0, lt=1)]


class TimeSeriesForecastingInput(TaskInput):
    """Series of past values, each of its own length."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (PAST, FREQUENCY)
    ROWS: ClassVar[tuple[str, ...]] = ("past_values", "frequencies")

    past_values: list[Annotated[list[Value], Field(min_length=1)]] = Field(
        min_length=1, description="Series, one a row, the oldest value first."
    )
    frequencies: list[Annotated[int, Field(ge=0, le=2)]] | None = Field(
        default=None,
        description="How often values come, a row: 0 to daily, 1 weekly and monthly, 2 less often. "
        "For TimesFM before 2.5; 0 unless given.",
    )
    prediction_length: int | None = Field(
        default=None,
        ge=1,
        le=_MAX_HORIZON,
        description="Values to forecast; null for as many as the model does, which is the most.",
    )
    quantile_levels: list[Level] | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="Which of the model's quantiles to answer; null for all.",
    )


class TimeSeriesForecastingOutput(TaskOutput):
    """Per series, the values to come, and how sure the model is of them."""

    ROWS: ClassVar[tuple[str, ...]] = ("means", "quantiles", "levels")

    means: list[list[float]] = Field(description="The forecast, the nearest value first.")
    quantiles: list[list[list[float]]] = Field(description="Per value, its quantiles.")
    levels: list[list[float]] = Field(description="Which quantiles those are, 0 to 1.")

    @classmethod
    def empty(cls) -> Self:
        """No forecast."""
        return cls(means=[[]], quantiles=[[]], levels=[[]])

    def to_inference_response(self, model_name: str) -> v2.InferenceResponse:
        """The tensor mean; quantiles and level where there are some."""
        tensors = [padded(MEAN, self.means, 0.0)]
        width = max(map(len, self.levels), default=0)
        if width:
            tensors += [_quantiles(self.quantiles, width), padded(LEVEL, self.levels, 0.0)]
        return v2.InferenceResponse.of(model_name, tensors)

    @classmethod
    def from_inference_response(cls, response: v2.InferenceResponse) -> Self:
        """Read mean, quantiles and level."""
        means = unpadded(response.output(MEAN.name))
        nothing: list[Any] = [[] for _ in means]
        if all(tensor.name != LEVEL.name for tensor in response.outputs):
            return cls(means=means, quantiles=nothing, levels=nothing)
        found = response.output(QUANTILES.name)
        width = found.shape[2] if len(found.shape) == 3 else 1
        rows = unpadded(found, width=width)
        if width == 1:
            rows = [[[value] for value in row] for row in rows]
        return cls(means=means, quantiles=rows, levels=unpadded(response.output(LEVEL.name)))


def _quantiles(rows: list[list[list[float]]], width: int) -> v2.ResponseOutput:
    if width > 1:
        return padded(QUANTILES, rows, [0.0] * width, width=width)
    tensor = padded(QUANTILES, [[value for (value,) in row] for row in rows], 0.0)
    return tensor.model_copy(update={"shape": [*tensor.shape, 1]})


TASK = Task(
    name="time-series-forecasting",
    family="multimodal",
    title="Time-series forecasting",
    description="Forecasts how series of numbers go on.",
    input=TimeSeriesForecastingInput,
    output=TimeSeriesForecastingOutput,
    outputs=(MEAN, QUANTILES, LEVEL),
    default_model="google/timesfm-2.5-200m-transformers",
    max_row_cost=MAX_VALUES,
    widget=Widget(("series", "json"), "series"),
    aliases=Aliases(huggingface=("time-series-forecasting",)),
    example=Example(
        TimeSeriesForecastingInput(
            past_values=[[1.0, 1.5, 2.0, 2.5]], prediction_length=2, quantile_levels=[0.5]
        ),
        TimeSeriesForecastingOutput(
            means=[[3.0, 3.5]],
            quantiles=[[[2.75], [3.25]]],
            levels=[[0.5]],
        ),
    ),
)
