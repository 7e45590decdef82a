"""Image classification. OIP: image BYTES [n] -> label BYTES [n, k], score FP32 [n, k]."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field

from ...protocol import v2
from ...protocol.datatypes import Datatype
from ..base import Task, TaskOutput
from ..tensors import TensorSpec, padded, unpadded
from .images import ImagesInput

LABEL = TensorSpec("label", Datatype.BYTES, (-1, -1), "results", "text")
SCORE = TensorSpec("score", Datatype.FP32, (-1, -1), "results")


class ImageClassificationInput(ImagesInput):
    """Images to classify."""

    top_k: int = Field(default=5, ge=1, description="Most labels to answer per image.")


class ClassificationResult(BaseModel):
    """A label and how sure the model is of it."""

    model_config = ConfigDict(frozen=True)

    label: str
    score: float = Field(description="Probability, 0 to 1.")


class ImageClassificationOutput(TaskOutput):
    """Per image, the likeliest labels first."""

    ROWS: ClassVar[tuple[str, ...]] = ("results",)

    results: list[list[ClassificationResult]]

    @classmethod
    def empty(cls) -> Self:
        """No labels."""
        return cls(results=[[]])

    def to_inference_response(self, model_name: str) -> v2.InferenceResponse:
        """Label and score, a list per image."""
        return v2.InferenceResponse(
            model_name=model_name,
            outputs=[
                padded(LABEL, [[r.label for r in row] for row in self.results], ""),
                padded(SCORE, [[r.score for r in row] for row in self.results], 0.0),
            ],
        )

    @classmethod
    def from_inference_response(cls, response: v2.InferenceResponse) -> Self:
        """Read label and score."""
        rows = zip(
            unpadded(response.output("label")), unpadded(response.output("score")), strict=True
        )
        return cls(
            results=[
                [
                    ClassificationResult(label=label, score=score)
                    for label, score in zip(labels, scores, strict=True)
                ]
                for labels, scores in rows
            ]
        )


TASK = Task(
    name="image-classification",
    family="vision",
    title="Image classification",
    description="Names what an image shows, with a probability per label.",
    input=ImageClassificationInput,
    output=ImageClassificationOutput,
    outputs=(LABEL, SCORE),
)
