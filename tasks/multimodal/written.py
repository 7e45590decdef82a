"""A text a row: what every task that writes about images answers."""

from __future__ import annotations

from typing import ClassVar, Self

from ...protocol import v2
from ...protocol.datatypes import Datatype
from ..base import TaskOutput
from ..tensors import TensorSpec, column, values_of

WRITTEN = TensorSpec("text", Datatype.BYTES, (-1,), "texts", "text")


class WrittenOutput(TaskOutput):
    """Per row, the text written."""

    ROWS: ClassVar[tuple[str, ...]] = ("texts",)
    WHOLE: ClassVar[TensorSpec | None] = WRITTEN

    texts: list[str]

    @classmethod
    def empty(cls) -> Self:
        """No text."""
        return cls(texts=[""])

    def to_inference_response(self, model_name: str) -> v2.InferenceResponse:
        """text, one a row."""
        return v2.InferenceResponse.of(model_name, [column(WRITTEN, self.texts)])

    @classmethod
    def from_inference_response(cls, response: v2.InferenceResponse) -> Self:
        """Read text."""
        return cls(texts=values_of(WRITTEN, response))
