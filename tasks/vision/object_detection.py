"""Object detection. OIP: image BYTES [n] -> label BYTES, score FP32 [n, m], box FP32 [n, m, 4].

Boxes are xmin, ymin, xmax, ymax in pixels of the image as sent, one flat list per image.
"""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field

from ...protocol import v2
from ...protocol.datatypes import Datatype
from ..base import Task, TaskOutput
from ..tensors import TensorSpec, padded, unpadded
from .images import ImagesInput

LABEL = TensorSpec("label", Datatype.BYTES, (-1, -1), "detections", "text")
SCORE = TensorSpec("score", Datatype.FP32, (-1, -1), "detections")
BOX = TensorSpec("box", Datatype.FP32, (-1, -1, 4), "detections")


class ObjectDetectionInput(ImagesInput):
    """Images to search."""

    threshold: float = Field(
        default=0.5, ge=0, le=1, description="Least score of an answered object."
    )


class BoundingBox(BaseModel):
    """A box in pixels, origin at the upper left."""

    model_config = ConfigDict(frozen=True)

    xmin: float
    ymin: float
    xmax: float
    ymax: float


class DetectedObject(BaseModel):
    """An object: what, how sure, where."""

    model_config = ConfigDict(frozen=True)

    label: str
    score: float = Field(description="Probability, 0 to 1.")
    box: BoundingBox


class ObjectDetectionOutput(TaskOutput):
    """Per image, the objects found, surest first."""

    ROWS: ClassVar[tuple[str, ...]] = ("detections",)

    detections: list[list[DetectedObject]]

    @classmethod
    def empty(cls) -> Self:
        """No objects."""
        return cls(detections=[[]])

    def to_inference_response(self, model_name: str) -> v2.InferenceResponse:
        """label, score and box; rows with fewer objects are padded."""
        rows = self.detections
        boxes = [[[o.box.xmin, o.box.ymin, o.box.xmax, o.box.ymax] for o in row] for row in rows]
        return v2.InferenceResponse(
            model_name=model_name,
            outputs=[
                padded(LABEL, [[o.label for o in row] for row in rows], ""),
                padded(SCORE, [[o.score for o in row] for row in rows], 0.0),
                padded(BOX, boxes, [0.0] * 4, width=4),
            ],
        )

    @classmethod
    def from_inference_response(cls, response: v2.InferenceResponse) -> Self:
        """Read label, score and box, without the padding."""
        tensors = zip(
            unpadded(response.output("label")),
            unpadded(response.output("score")),
            unpadded(response.output("box"), width=4),
            strict=True,
        )
        return cls(
            detections=[
                [
                    DetectedObject(
                        label=label,
                        score=score,
                        box=BoundingBox(xmin=box[0], ymin=box[1], xmax=box[2], ymax=box[3]),
                    )
                    for label, score, box in zip(labels, scores, boxes, strict=True)
                ]
                for labels, scores, boxes in tensors
            ]
        )


TASK = Task(
    name="object-detection",
    family="vision",
    title="Object detection",
    description="Finds objects in an image: a label, a score and a box for each.",
    input=ObjectDetectionInput,
    output=ObjectDetectionOutput,
    outputs=(LABEL, SCORE, BOX),
)
