"""Object tracking. OIP: video BYTES [n, frames] -> objects_ids, frame_indexes, mask [n, m].

A row is one video: its frames, image files of one size, or one file of a moving picture or a film,
of which `fps` takes so many frames a second; then `time` FP32 [n, m] says when each is shown.
Prompts name objects on some frames; each object is then followed through the others, forwards from
its first prompt and backwards (SAM 2, Ravi et al., 2024). No trained model can be had without a
download.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from ...protocol import v2
from ...protocol.datatypes import Datatype
from ..base import Aliases, Example, Task, TaskInput, TaskOutput, Widget
from ..samples import PNG
from ..tensors import TensorSpec, padded, unpadded
from .images import MAX_PIXELS
from .prompts import BOXES, LABELS, POINTS, Boxes, PointLabels, Points, check_prompts

VIDEO = TensorSpec("video", Datatype.BYTES, (-1, -1), "videos", "image")
OBJECTS = TensorSpec("objects_ids", Datatype.BYTES, (-1,), "objects_ids", "json")
FRAMES = TensorSpec("frame_indexes", Datatype.BYTES, (-1,), "frame_indexes", "json")

OBJECT = TensorSpec("objects_ids", Datatype.INT32, (-1, -1), "objects_ids")
FRAME = TensorSpec("frame_indexes", Datatype.INT32, (-1, -1), "frame_indexes")
MASK = TensorSpec("mask", Datatype.BYTES, (-1, -1), "masks", "image")
TIME = TensorSpec("time", Datatype.FP32, (-1, -1), "times", optional=True)

#: Frames of one video, at most. Each takes the model's own size in memory, however small it is.
MAX_FRAMES = 1000

_Index = Annotated[int, Field(ge=0, lt=2**31)]


def with_listed_videos(fields: Any) -> Any:
    """An input's fields, in which a film that stands alone is the list of its one file."""
    videos = fields.get("videos") if isinstance(fields, dict) else None
    if not isinstance(videos, list):
        return fields
    return {**fields, "videos": [[v] if isinstance(v, bytes) else v for v in videos]}


class VideoMaskGenerationInput(TaskInput):
    """Videos, and the objects to follow in them: parallel lists, one entry a prompt."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (VIDEO, OBJECTS, FRAMES, POINTS, LABELS, BOXES)
    ROWS: ClassVar[tuple[str, ...]] = (
        *("videos", "objects_ids", "frame_indexes"),
        *("points", "labels", "boxes"),
    )

    videos: list[Annotated[list[bytes], Field(min_length=1, max_length=MAX_FRAMES)]] = Field(
        min_length=1,
        description="Per row the frames, image files of one size, or one file of a film.",
    )
    objects_ids: list[Annotated[list[_Index], Field(min_length=1)]] = Field(
        description="Per row [prompt]: the object that the prompt is for."
    )
    frame_indexes: list[list[_Index]] = Field(
        description="Per row [prompt]: the frame that the prompt is on, from 0."
    )
    points: list[Points] | None = Field(
        default=None, description="Per row [prompt][point][2], x and y in pixels; [] for none."
    )
    labels: list[PointLabels] | None = Field(
        default=None,
        description="Per row [prompt][point]: 1 on the object, 0 beside it; 1 if [].",
    )
    boxes: list[Boxes] | None = Field(
        default=None, description="Per row [prompt][4], corners in pixels; [] for none."
    )
    fps: float | None = Field(
        default=None,
        gt=0,
        le=240,
        description="Of a film, how many frames a second are looked at; all if nothing is said.",
    )

    @model_validator(mode="before")
    @classmethod
    def _one_file_is_a_list(cls, fields: Any) -> Any:
        return with_listed_videos(fields)

    @model_validator(mode="after")
    def _check_prompts(self) -> Self:
        nothing: list[list[Any]] = [[]] * self.row_count
        for video, objects, frames, points, labels, boxes in zip(
            self.videos,
            self.objects_ids,
            self.frame_indexes,
            self.points or nothing,
            self.labels or nothing,
            self.boxes or nothing,
            strict=True,
        ):
            check_prompts(points, labels, boxes)
            if len(frames) != len(objects):
                raise ValueError("frame_indexes: expected as many as objects_ids")
            if len(video) > 1 and max(frames) >= len(video):  # a film's are not known yet
                raise ValueError(f"frame_indexes: {max(frames)} in a video of {len(video)} frames")
            if len(points or boxes) != len(objects):
                raise ValueError("points, boxes: expected a prompt for each of objects_ids")
        return self


class VideoMaskGenerationOutput(TaskOutput):
    """Per video parallel lists, one entry per object and frame, frame by frame."""

    ROWS: ClassVar[tuple[str, ...]] = ("objects_ids", "frame_indexes", "masks", "times")

    objects_ids: list[list[int]]
    frame_indexes: list[list[int]]
    masks: list[list[bytes]] = Field(description="Grey PNGs of the frame's size, 0 or 255.")
    times: list[list[float]] = Field(
        default=[], description="Of a film: seconds from its start. [] per row of pictures."
    )

    @model_validator(mode="before")
    @classmethod
    def _name_no_times(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and "masks" in fields and not fields.get("times"):
            return {**fields, "times": [[] for _ in fields["masks"]]}
        return fields

    @classmethod
    def empty(cls) -> Self:
        """No object found."""
        return cls(objects_ids=[[]], frame_indexes=[[]], masks=[[]])

    def to_inference_response(self, model_name: str) -> v2.InferenceResponse:
        """A tensor per list; no times where all rows are pictures."""
        outputs = [
            padded(OBJECT, self.objects_ids, 0),
            padded(FRAME, self.frame_indexes, 0),
            padded(MASK, self.masks, b""),
        ]
        if any(self.times):
            outputs.append(padded(TIME, self.times, 0.0))
        return v2.InferenceResponse.of(model_name, outputs)

    @classmethod
    def from_inference_response(cls, response: v2.InferenceResponse) -> Self:
        """Read the lists, without the padding."""
        return cls(
            objects_ids=unpadded(response.output(OBJECT.name)),
            frame_indexes=unpadded(response.output(FRAME.name)),
            masks=unpadded(response.output(MASK.name), files=True),
            times=[
                times
                for output in response.outputs
                if output.name == TIME.name
                for times in unpadded(output)
            ],
        )


TASK = Task(
    name="video-mask-generation",
    family="vision",
    title="Video mask generation",
    description="Follows objects that points or boxes mark through the frames of a video.",
    input=VideoMaskGenerationInput,
    output=VideoMaskGenerationOutput,
    outputs=(OBJECT, FRAME, MASK, TIME),
    default_model="facebook/sam2.1-hiera-tiny",
    max_row_cost=10 * MAX_PIXELS,
    widget=Widget(("images", "objects", "frames", "points", "point-labels", "boxes"), "masks"),
    aliases=Aliases(pixano=("video_mask_generation", "tracking")),
    example=Example(
        VideoMaskGenerationInput(
            videos=[[PNG, PNG]],
            objects_ids=[[1]],
            frame_indexes=[[0]],
            points=[[[[2.0, 3.5]]]],
            labels=[[[1]]],
        ),
        VideoMaskGenerationOutput(objects_ids=[[1, 1]], frame_indexes=[[0, 1]], masks=[[PNG, PNG]]),
    ),
)
