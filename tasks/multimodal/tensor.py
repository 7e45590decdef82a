"""Tensor. OIP: the graph's own inputs -> its own outputs; or feed BYTES [n] -> result BYTES [n].

For a graph of any inputs and outputs, served as it is: a request names the tensors that the graph
declares, of its datatypes and shapes, as JSON or binary, and the answer has the graph's outputs.
`GET /v2/models/{model}` and `/config` tell them once a worker has loaded the graph.

Where the first axis of all inputs and outputs is free, and a row is answered alone as beside
others, the first axis counts rows: those of several requests share a forward where their shapes are
equal, and shapes are told with -1 there. In any other graph a request is one row, whatever its
shapes, with a forward of its own; its configuration has `max_batch_size` 0. The model parameter
`batched` says which, where trying the graph finds it out wrong.

For tables, the console and people there is another form: `feed`, a JSON object a row with the
graph's inputs by their names, less the axis of rows, and `result`, an object of its outputs. FP16
and BF16 are numbers there, BYTES texts.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from pydantic import Field, field_validator

from ...protocol import v2
from ...protocol.datatypes import Datatype
from ...protocol.errors import InvalidRequest, InvalidTensor
from ..base import Aliases, Example, Task, TaskInput, TaskOutput, Widget
from ..tensors import TensorSpec, column

FEED = TensorSpec("feed", Datatype.BYTES, (-1,), "feeds", "json")
RESULT = TensorSpec("result", Datatype.BYTES, (-1,), "results", "json")

#: Parameter of the tensor `result`, which a graph's own output of that name has not.
_CONTENT = "content"

#: Elements of all inputs of a row.
MAX_ELEMENTS = 1 << 30


class TensorInput(TaskInput):
    """Rows for a graph: its inputs by their names, nested lists or single values."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (FEED,)
    ROWS: ClassVar[tuple[str, ...]] = ("feeds",)
    RECORD: ClassVar[str] = "feeds"

    feeds: list[dict[str, Any]] = Field(
        min_length=1, description="Rows: the graph's inputs by their names."
    )

    @field_validator("feeds")
    @classmethod
    def _arrays_as_lists(cls, feeds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{name: _plain(value) for name, value in feed.items()} for feed in feeds]


class TensorOutput(TaskOutput):
    """Per row, the graph's outputs by their names."""

    ROWS: ClassVar[tuple[str, ...]] = ("results",)

    results: list[dict[str, Any]] = Field(description="Rows: the graph's outputs by their names.")

    @classmethod
    def empty(cls) -> Self:
        """No outputs."""
        return cls(results=[{}])

    def to_inference_response(self, model_name: str) -> v2.InferenceResponse:
        """The tensor result, a JSON object a row."""
        tensor = column(RESULT, [_written(result) for result in self.results])
        tensor.parameters = {_CONTENT: "json"}
        return v2.InferenceResponse.of(model_name, [tensor])

    @classmethod
    def from_inference_response(cls, response: v2.InferenceResponse) -> Self:
        """Read result, or a graph's own outputs: row by row where all have as many."""
        first = response.outputs[0] if response.outputs else None
        if first is None or (first.name, first.parameters.get(_CONTENT)) != (RESULT.name, "json"):
            return cls(results=_rows(response.outputs))
        try:
            return cls(results=[json.loads(text) for text in first.texts()])
        except ValueError as error:
            raise InvalidRequest(f"output 'result' is not JSON: {error}") from None


def _plain(value: Any) -> Any:
    """An array as nested lists."""
    return value.tolist() if hasattr(value, "tolist") else value


def _written(result: Mapping[str, Any]) -> str:
    try:
        return json.dumps(result, ensure_ascii=False, allow_nan=False)
    except ValueError:
        raise InvalidTensor(
            "an output holds NaN or infinity, which JSON cannot carry; ask with the graph's own "
            "tensors, for binary data"
        ) from None


def _rows(tensors: list[v2.ResponseOutput]) -> list[dict[str, Any]]:
    counts = {tensor.shape[0] if tensor.shape else None for tensor in tensors}
    whole = {tensor.name: nested(_values(tensor), tensor.shape) for tensor in tensors}
    if len(counts) != 1 or None in counts:
        return [whole]
    return [
        {name: values[number] for name, values in whole.items()}
        for number in range(tensors[0].shape[0])
    ]


def _values(tensor: v2.Tensor) -> list[Any]:
    """Elements, BYTES as texts where they are some."""
    if tensor.datatype is not Datatype.BYTES:
        return list(tensor.flat())
    blobs = tensor.blobs() if tensor.is_base64 else list(tensor.flat())
    return [blob.decode(errors="replace") if isinstance(blob, bytes) else blob for blob in blobs]


def nested(flat: Sequence[Any], shape: Sequence[int]) -> Any:
    """Row-major values as lists of their shape; a single value where that is empty."""
    if not shape:
        return flat[0]
    if len(shape) == 1:
        return list(flat)
    each = math.prod(shape[1:])
    return [nested(flat[row * each : (row + 1) * each], shape[1:]) for row in range(shape[0])]


def _of_model(facts: Mapping[str, Any]) -> Task:
    from ..graph_signature import GraphSignature
    from ..graph_tensors import task_of

    told = facts.get("tensors")
    return task_of(GraphSignature.of_facts(told)) if told else TASK


TASK = Task(
    name="tensor",
    family="multimodal",
    title="Tensor",
    description="Runs a graph on the tensors that it declares.",
    input=TensorInput,
    output=TensorOutput,
    outputs=(RESULT,),
    default_model="model.onnx",
    max_row_cost=MAX_ELEMENTS,
    widget=Widget(("json",), "json"),
    aliases=Aliases(others=("raw",)),
    of_model=_of_model,
    example=Example(
        TensorInput(feeds=[{"x": [1.0, 2.0, 4.0]}]),
        TensorOutput(results=[{"double": [2.0, 4.0, 8.0], "sum": 7.0}]),
    ),
)
