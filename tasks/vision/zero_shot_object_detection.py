"""Zero-shot object detection. OIP: image, candidate_labels BYTES [n], [L] -> label, score, box.

label BYTES and score FP32 are [n, m], box FP32 [n, m, 4] (OWL-ViT, Minderer et al., 2022). A box
has one label, the one that fits best. Rows of one batch may have labels of their own: the model
sees each label once. Grounding DINO reads the labels as one text; its boxes have the words of it
that fit, of which there may be none. No trained model can be had without a download.
"""

from __future__ import annotations

from pydantic import Field

from ..base import Aliases, Example, Task, Widget
from ..boxes import BOX, LABEL, SCORE, BoundingBox, BoxesOutput, DetectedObject
from ..samples import PNG
from .candidates import CandidatesInput
from .images import MAX_PIXELS


class ZeroShotObjectDetectionInput(CandidatesInput):
    """Images to search, and the labels to search for."""

    threshold: float = Field(
        default=0.1, ge=0, le=1, description="Least score of an answered object."
    )


class ZeroShotObjectDetectionOutput(BoxesOutput):
    """Per image, the objects found, surest first."""


TASK = Task(
    name="zero-shot-object-detection",
    family="vision",
    title="Zero-shot object detection",
    description="Finds the objects that you name: a label, a score and a box for each.",
    input=ZeroShotObjectDetectionInput,
    output=ZeroShotObjectDetectionOutput,
    outputs=(LABEL, SCORE, BOX),
    default_model="google/owlvit-base-patch32",
    max_row_cost=MAX_PIXELS,
    widget=Widget(("image", "labels"), "boxes"),
    aliases=Aliases(
        huggingface=("zero-shot-object-detection",),
        pixano=("image_zero_shot_detection", "detection"),
    ),
    example=Example(
        ZeroShotObjectDetectionInput(images=[PNG], candidate_labels=["boat", "buoy"]),
        ZeroShotObjectDetectionOutput(
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
