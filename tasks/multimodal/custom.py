"""Custom. OIP: data BYTES [n] of JSON objects -> result BYTES [n] of any JSON.

For what fits no other task: the operator's own code answers, a folder with a `handler.py` that
holds the class that Hugging Face's Inference Endpoints call too:

    class EndpointHandler:
        def __init__(self, path: str = ""): ...  # the folder
        def __call__(self, data: dict) -> Any: ...  # one row's object in, JSON out

It is off until WHERRY_HANDLER_DIR names the directory that such folders lie in.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar, Self

from pydantic import Field

from ...protocol import v2
from ...protocol.datatypes import Datatype
from ...protocol.errors import InvalidRequest
from ..base import Aliases, Example, Task, TaskInput, TaskOutput, Widget
from ..tensors import TensorSpec, column, values_of
from ..text.texts import MAX_TOKENS

DATA = TensorSpec("data", Datatype.BYTES, (-1,), "data", "json")
RESULT = TensorSpec("result", Datatype.BYTES, (-1,), "results", "json")


class CustomInput(TaskInput):
    """Objects for the handler, which is called with one at a time."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (DATA,)
    ROWS: ClassVar[tuple[str, ...]] = ("data",)

    data: list[dict[str, Any]] = Field(min_length=1, description="JSON objects, one a row.")


class CustomOutput(TaskOutput):
    """Per object, what the handler returned."""

    ROWS: ClassVar[tuple[str, ...]] = ("results",)

    results: list[Any] = Field(description="Any JSON, one a row.")

    @classmethod
    def empty(cls) -> Self:
        """No result."""
        return cls(results=[None])

    def to_inference_response(self, model_name: str) -> v2.InferenceResponse:
        """The tensor result, a JSON text per row."""
        texts = [json.dumps(result, ensure_ascii=False) for result in self.results]
        return v2.InferenceResponse.of(model_name, [column(RESULT, texts)])

    @classmethod
    def from_inference_response(cls, response: v2.InferenceResponse) -> Self:
        """Read result."""
        try:
            return cls(results=[json.loads(text) for text in values_of(RESULT, response)])
        except ValueError as error:
            raise InvalidRequest(f"output 'result' is not JSON: {error}") from None


TASK = Task(
    name="custom",
    family="multimodal",
    title="Custom handler",
    description="Runs the operator's own handler on a JSON object.",
    input=CustomInput,
    output=CustomOutput,
    outputs=(RESULT,),
    default_model="handler.py",
    max_row_cost=MAX_TOKENS,
    widget=Widget(("json",), "json"),
    aliases=Aliases(huggingface=("custom",), instill="TASK_CUSTOM"),
    example=Example(
        CustomInput(data=[{"inputs": "Cast off!", "parameters": {"shout": True}}]),
        CustomOutput(results=[{"heard": "CAST OFF!", "after_s": 0.5}]),
    ),
)
