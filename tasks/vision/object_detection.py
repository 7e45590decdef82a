"""Object detection. OIP: image BYTES [n] -> label BYTES, score FP32 [n, m], box FP32 [n, m, 4].

Boxes are xmin, ymin, xmax, ymax in pixels of the image as sent, one flat list per image.
"""

from __future__ import annotations

from pydantic import Field

from ..base import Aliases, Example, Task, Widget
from ..boxes import BOX, LABEL, SCORE, BoundingBox, BoxesOutput, DetectedObject
from ..samples import PNG
from .images import MAX_PIXELS, ImagesInput


class ObjectDetectionInput(ImagesInput):
    """Images to search."""

    threshold: float = Field(
        default=0.5, ge=0, le=1, description="Least score of an answered object."
    )


class ObjectDetectionOutput(BoxesOutput):
    """Per image, the objects found, surest first."""


TASK = Task(
    name="object-detection",
    family="vision",
    title="Object detection",
    description="Finds objects in an image: a label, a score and a box for each.",
    input=ObjectDetectionInput,
    output=ObjectDetectionOutput,
    outputs=(LABEL, SCORE, BOX),
    default_model="facebook/detr-resnet-50",
    max_row_cost=MAX_PIXELS,
    widget=Widget(("image",), "boxes"),
    aliases=Aliases(huggingface=("object-detection",), instill="TASK_DETECTION"),
    example=Example(
        ObjectDetectionInput(images=[PNG], threshold=0.5),
        ObjectDetectionOutput(
            detections=[
                [
                    DetectedObject(
                        label="boat",
                        score=0.875,
                        box=BoundingBox(xmin=1, ymin=2, xmax=7, ymax=6.5),
                    )
                ]
            ]
        ),
    ),
)
