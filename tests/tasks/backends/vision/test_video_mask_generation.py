"""SAM 2's tracker against the model driven by hand, video by video."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from wherry.protocol.errors import InvalidRequest, RowError
from wherry.tasks.backends.image.videos import open_video
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.vision.video_mask_generation import (
    VideoMaskGenerationInput,
    VideoMaskGenerationOutput,
)

from ....support import media, tiny
from ....support.tracking import Alone

Models = Callable[[str], Path]


def frames(count: int, size: tuple[int, int], seed: int = 0) -> list[bytes]:
    """A picture that moves to the left."""
    wide = tiny.noise(size[0] + 8 * count, size[1], seed)
    return [tiny.encode(wide.crop((8 * n, 0, 8 * n + size[0], size[1]))) for n in range(count)]


#: A long video with two objects, one of them marked on two frames; a short one with a box.
VIDEOS = [frames(5, (90, 60)), frames(2, (40, 70), seed=1)]
PROMPTS: dict[str, Any] = {
    "objects_ids": [[7, 3, 7], [1]],
    "frame_indexes": [[1, 3, 2], [0]],
    "points": [[[[20, 30], [60, 10]], [[70, 40]], [[25, 30]]], []],
    "labels": [[[1, 0], [1], [1]], []],
    "boxes": [[], [[5, 6, 30, 60]]],
}


def create(tiny_model: Models) -> LocalTask:
    folder = tiny_model("video-mask-generation")
    return create_task("transformers", "video-mask-generation", str(folder))


def tracked(answer: object) -> dict[tuple[int, int], np.ndarray[Any, Any]]:
    """Masks by frame and object."""
    assert isinstance(answer, VideoMaskGenerationOutput)
    keys = list(zip(answer.frame_indexes[0], answer.objects_ids[0], strict=True))
    assert len(set(keys)) == len(keys) == len(answer.masks[0])
    masks = [np.asarray(Image.open(io.BytesIO(data))) > 0 for data in answer.masks[0]]
    return dict(zip(keys, masks, strict=True))


def test_videos_of_a_batch_get_the_masks_of_the_model_driven_by_hand(tiny_model: Models) -> None:
    folder = tiny_model("video-mask-generation")
    rows = VideoMaskGenerationInput.validated({"videos": VIDEOS, **PROMPTS}).rows()
    long, short = map(tracked, create(tiny_model).backend.run(rows))
    alone = Alone(folder, VIDEOS[0])
    alone.mark(7, 1, [[20, 30], [60, 10]], [1, 0])
    alone.mark(7, 2, [[25, 30]], [1])
    alone.mark(3, 3, [[70, 40]], [1])
    same(long, alone.masks())
    assert list(long) == [(frame, number) for frame in range(5) for number in (7, 3)]
    alone = Alone(folder, VIDEOS[1])
    alone.mark(1, 0, [[5, 6], [30, 60]], [2, 3])  # a box's corners
    same(short, alone.masks())
    assert list(short) == [(0, 1), (1, 1)]
    shares = [mask.mean() for mask in (*long.values(), *short.values())]
    assert len(set(shares)) > 4
    assert any(0.1 < share < 0.9 for share in shares)


def same(
    found: dict[tuple[int, int], np.ndarray[Any, Any]],
    own: dict[tuple[int, int], np.ndarray[Any, Any]],
) -> None:
    assert set(found) == set(own)
    for key, mask in found.items():
        assert mask.shape == own[key].shape
        assert (mask == own[key]).mean() > 0.999


def test_other_prompts_other_masks(tiny_model: Models) -> None:
    task = create(tiny_model)
    given = {"videos": VIDEOS[1:], "objects_ids": [[1]], "frame_indexes": [[0]]}
    rows = [
        VideoMaskGenerationInput.validated({**given, **prompts})
        for prompts in (
            {"points": [[[[5, 5]]]]},
            {"points": [[[[5, 5]]]], "labels": [[[0]]]},
            {"points": [[[[30, 60]]]]},
            {"points": [[[[30, 60]]]], "boxes": [[[0, 0, 20, 20]]]},
        )
    ]
    masks = [tracked(answer)[(0, 1)].tobytes() for answer in task.backend.run(rows)]
    assert len(set(masks)) == len(masks)


@pytest.mark.parametrize(
    "changed",
    [
        {"frame_indexes": [[5, 3, 2], [0]]},
        {"frame_indexes": [[1, 3], [0]]},
        {"objects_ids": [[7, 3, -7], [1]]},
        {"points": [[[[20, 30]]], []], "labels": None},
        {"points": [[], []], "labels": None, "boxes": None},
        {"boxes": [[], []]},
        {"objects_ids": [[7, 3, 7]]},
    ],
)
def test_prompts_that_do_not_fit_are_refused(changed: dict[str, Any]) -> None:
    VideoMaskGenerationInput.validated({"videos": VIDEOS, **PROMPTS})
    with pytest.raises(InvalidRequest):
        VideoMaskGenerationInput.validated({"videos": VIDEOS, **PROMPTS, **changed})


def test_a_film_is_its_frames(tiny_model: Models) -> None:
    """What is followed through an MP4 is what is followed through the frames that it shows."""
    pictures = [np.asarray(Image.open(io.BytesIO(file))) for file in frames(6, (90, 60))]
    film = media.film(pictures, fps=4)
    shown = [tiny.encode(image) for image in open_video([film], 10**5, 10**6).frames(range(6))]
    prompts: dict[str, Any] = {
        "objects_ids": [[7]],
        "frame_indexes": [[1]],
        "points": [[[[20, 30]]]],
    }
    with create(tiny_model) as task:
        whole = task.process(VideoMaskGenerationInput(videos=[[film]], **prompts))
        half = task.process(VideoMaskGenerationInput(videos=[[film]], fps=2, **prompts))
        by_frame = task.process(VideoMaskGenerationInput(videos=[shown], **prompts))
        second = task.process(VideoMaskGenerationInput(videos=[shown[::2]], **prompts))
        late = VideoMaskGenerationInput(videos=[[film]], **{**prompts, "frame_indexes": [[6]]})
        with pytest.raises(RowError, match="frame_indexes: 6 in a video of 6 frames"):
            task.process(late)
    for film_answer, answer in ((whole, by_frame), (half, second)):
        assert isinstance(film_answer, VideoMaskGenerationOutput)
        assert isinstance(answer, VideoMaskGenerationOutput)
        assert film_answer.masks == answer.masks
        assert film_answer.frame_indexes == answer.frame_indexes
        assert answer.times == [[]]
    assert isinstance(whole, VideoMaskGenerationOutput)
    assert isinstance(half, VideoMaskGenerationOutput)
    assert whole.times == [pytest.approx([0, 0.25, 0.5, 0.75, 1, 1.25])]
    assert half.times == [pytest.approx([0, 0.5, 1])]
    assert VideoMaskGenerationOutput.of(whole.response("m")) == whole
