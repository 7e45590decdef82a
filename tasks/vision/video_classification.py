"""Video classification. OIP: video BYTES [n, frames] -> label BYTES [n, k], score FP32 [n, k].

A row is one video: its frames, image files of one size, or one file of a moving picture (animated
GIF, WebP, AVIF, PNG). The model looks at `num_frames` of the frames, spread over all of the video;
or, with `frame_sampling_rate`, at so many from its start, as transformers' pipeline does over an
image processor. A video of fewer frames is shown slower, with a warning.

No trained model is at hand without a download: tests prove parity with random weights.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from ..base import Aliases, Example, Task, TaskInput, Widget
from ..labels import LABEL, SCORE, ClassificationResult, LabelsOutput
from ..samples import PNG
from ..tensors import TensorSpec
from .images import MAX_PIXELS
from .video_mask_generation import MAX_FRAMES, VIDEO, with_listed_videos


class VideoClassificationInput(TaskInput):
    """Videos to classify."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (VIDEO,)
    ROWS: ClassVar[tuple[str, ...]] = ("videos",)

    videos: list[Annotated[list[bytes], Field(min_length=1, max_length=MAX_FRAMES)]] = Field(
        min_length=1, description="Per row the frames, or one file of a moving picture."
    )
    top_k: int = Field(default=5, ge=1, description="Most labels to answer per video.")
    num_frames: int | None = Field(
        default=None,
        ge=1,
        le=256,
        description="Frames to look at; the model's own number if nothing is said.",
    )
    frame_sampling_rate: int | None = Field(
        default=None,
        ge=1,
        le=MAX_FRAMES,
        description="From the start one frame in so many; spread over all if nothing is said.",
    )

    @model_validator(mode="before")
    @classmethod
    def _accept_files(cls, fields: Any) -> Any:
        """A row that is one file is a moving picture."""
        return with_listed_videos(fields)


class VideoClassificationOutput(LabelsOutput):
    """Per video, the likeliest labels first."""


TASK = Task(
    name="video-classification",
    family="vision",
    title="Video classification",
    description="Names what a video shows, with a probability per label.",
    input=VideoClassificationInput,
    output=VideoClassificationOutput,
    outputs=(LABEL, SCORE),
    default_model="MCG-NJU/videomae-base-finetuned-kinetics",
    max_row_cost=10 * MAX_PIXELS,
    widget=Widget(("images",), "labels"),
    aliases=Aliases(huggingface=("video-classification",)),
    example=Example(
        VideoClassificationInput(videos=[[PNG, PNG]], top_k=2),
        VideoClassificationOutput(
            results=[
                [
                    ClassificationResult(label="sailing", score=0.75),
                    ClassificationResult(label="rowing", score=0.125),
                ]
            ]
        ),
    ),
)
