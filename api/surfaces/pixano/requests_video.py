"""What Pixano's clients ask of a video, read into the task's input.

An object has one prompt, told in parallel lists (the seed, 0.5.6) or in keyframes: flat ones (0.7)
or with their prompts below them (`/v1`).
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from ....protocol.errors import InvalidRequest
from ....tasks.catalog import ModelDeclaration
from ...egress.named_files import NamedFiles
from .requests import Ask, File, TaskRequest, file_of, prompts_of


class _PointPrompt(BaseModel):
    x: float
    y: float
    label: int


class _BoxPrompt(BaseModel):
    x: float
    y: float
    width: float
    height: float


class _Prompts(BaseModel):
    points: list[_PointPrompt] | None = None
    box: _BoxPrompt | None = None
    mask: Any = None


class _Keyframe(_Prompts):
    """An object's prompts on a frame: under `prompts` in `/v1`, beside the frame before."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    frame_index: int
    prompts: _Prompts | None = None


class _Interval(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    start_frame: int = Field(ge=0)
    end_frame: int = Field(ge=0)
    direction: Literal["forward", "backward"] = "forward"


class TrackingAsk(Ask):
    """Objects to follow through the frames of a video."""

    FORM: ClassVar[tuple[str, str]] = ("video", "frames")

    video: list[File] | File
    objects_ids: list[int] = Field(default=[])
    frame_indexes: list[int] = Field(default=[])
    points: list[list[list[float]]] | None = None
    labels: list[list[int]] | None = None
    boxes: list[list[float]] | None = None
    propagate: bool | None = None
    interval: _Interval | None = None
    keyframes: list[_Keyframe] | None = None

    def task_request(self, model: ModelDeclaration, files: NamedFiles) -> TaskRequest:
        """One row of video-mask-generation; frames that nothing is asked of stay behind."""
        if not isinstance(self.video, list):
            raise InvalidRequest("video: send its frames, a list of images")
        if not self.objects_ids:
            raise InvalidRequest("objects_ids: name an object for each prompt; there has to be one")
        indexes, prompts = self.frame_indexes, prompts_of(self.points, self.labels, self.boxes)
        if self.keyframes:
            indexes, prompts = _of_keyframes(self.keyframes)
        first, last = self._window(indexes)
        frames = self.video[first : last + 1]
        fields = {
            "videos": [
                [file_of(frame, f"video.{first + i}", files) for i, frame in enumerate(frames)]
            ],
            "objects_ids": [self.objects_ids],
            "frame_indexes": [[index - first for index in indexes]],
            **prompts,
        }
        return TaskRequest(model.definition.input.validated(fields), first)

    def _window(self, indexes: list[int]) -> tuple[int, int]:
        """The first and the last frame that masks are wanted of. Raises InvalidRequest."""
        last = len(self.video) - 1
        for index in indexes:
            if not 0 <= index <= last:
                raise InvalidRequest(f"frame_indexes: {index} in a video of {last + 1} frames")
        if self.propagate is False:
            if len(set(indexes)) > 1:
                raise InvalidRequest("propagate: false goes with prompts on one frame; send each")
            return (indexes[0], indexes[0]) if indexes else (0, last)
        if self.interval is None:
            return 0, last
        first, end = sorted((self.interval.start_frame, self.interval.end_frame))
        for index in indexes:
            if not first <= index <= end:
                raise InvalidRequest(f"interval: the prompt's frame {index} has to be within it")
        return first, min(end, last)


def _of_keyframes(keyframes: list[_Keyframe]) -> tuple[list[int], dict[str, Any]]:
    """The frames and the prompts of keyframes, one an object. Raises InvalidRequest."""
    prompts = [keyframe.prompts or keyframe for keyframe in keyframes]
    if any(prompt.mask is not None for prompt in prompts):
        raise InvalidRequest("keyframes: masks are not taken as prompts; give points or a box")
    points = [[[p.x, p.y] for p in prompt.points] for prompt in prompts if prompt.points]
    labels = [[p.label for p in prompt.points] for prompt in prompts if prompt.points]
    boxes = [
        [box.x, box.y, box.x + box.width, box.y + box.height]
        for prompt in prompts
        if (box := prompt.box)
    ]
    if {len(points), len(boxes)} - {0, len(keyframes)} or not (points or boxes):
        raise InvalidRequest("keyframes: give points for all of them, or a box for all, or both")
    return [keyframe.frame_index for keyframe in keyframes], prompts_of(
        points or None, labels or None, boxes or None
    )
