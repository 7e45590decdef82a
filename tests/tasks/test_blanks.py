"""A client that knows no row_lengths decodes the padding too: task-inference's own does."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from wherry.protocol import v2
from wherry.tasks.base import Task, TaskInput, TaskOutput
from wherry.tasks.blanks import with_blanks
from wherry.tasks.registry import get_task, task_names
from wherry.tasks.values.masks import read_mask, write_mask
from wherry.tasks.vision import image_segmentation, mask_generation, video_mask_generation


def photo(width: int, height: int, *, lies: bool = False, kind: str = "JPEG") -> bytes:
    exif = Image.Exif()
    if lies:
        exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "white").save(buffer, kind, exif=exif)
    return buffer.getvalue()


def mask(width: int, height: int) -> bytes:
    return write_mask(np.ones((height, width), np.bool_))


def segment(width: int, height: int) -> image_segmentation.Segment:
    return image_segmentation.Segment(label="boat", score=0.5, mask=mask(width, height))


def found(width: int, height: int) -> mask_generation.ObjectMask:
    return mask_generation.ObjectMask(mask=mask(width, height), score=0.5)


#: Three rows of three sizes: two masks, one, none.
RAGGED: list[tuple[Task, TaskInput, TaskOutput]] = [
    (
        image_segmentation.TASK,
        image_segmentation.ImageSegmentationInput(
            images=[photo(6, 4), photo(3, 5), photo(9, 2, lies=True)]
        ),
        image_segmentation.ImageSegmentationOutput(
            segments=[[segment(6, 4)] * 2, [segment(3, 5)], []]
        ),
    ),
    (
        mask_generation.TASK,
        mask_generation.MaskGenerationInput(
            images=[photo(6, 4), photo(3, 5), photo(9, 2, lies=True)]
        ),
        mask_generation.MaskGenerationOutput(masks=[[found(6, 4)] * 2, [found(3, 5)], []]),
    ),
    (
        video_mask_generation.TASK,
        video_mask_generation.VideoMaskGenerationInput(
            videos=[[photo(6, 4)], [photo(3, 5)], [photo(9, 2, lies=True)]],
            objects_ids=[[1]] * 3,
            frame_indexes=[[0]] * 3,
            points=[[[[1.0, 1.0]]]] * 3,
            labels=[[[1]]] * 3,
        ),
        video_mask_generation.VideoMaskGenerationOutput(
            objects_ids=[[1, 2], [1], []],
            frame_indexes=[[0, 0], [0], []],
            masks=[[mask(6, 4)] * 2, [mask(3, 5)], []],
        ),
    ),
]


@pytest.mark.parametrize(("task", "given", "output"), RAGGED, ids=[t.name for t, *_ in RAGGED])
def test_every_entry_is_a_picture_of_its_rows_size(
    task: Task, given: TaskInput, output: TaskOutput
) -> None:
    response = with_blanks(output.to_inference_response("m"), task, given.rows())
    read = [[read_mask(file) for file in row] for row in response.output("mask").data]
    assert [[m.shape for m in row] for row in read] == [[(4, 6)] * 2, [(5, 3)] * 2, [(9, 2)] * 2]
    assert [[bool(m.any()) for m in row] for row in read] == [
        [True, True],
        [True, False],
        [False, False],
    ]
    assert task.output.from_inference_response(response) == output


@pytest.mark.parametrize("kind", ["AVIF", "JPEG", "PNG", "TIFF", "WEBP"])
def test_a_turned_picture_has_upright_ones(kind: str) -> None:
    lying = photo(9, 2, lies=True, kind=kind)
    given = mask_generation.MaskGenerationInput(images=[photo(6, 4), lying])
    output = mask_generation.MaskGenerationOutput(masks=[[found(6, 4)], []])
    response = with_blanks(output.to_inference_response("m"), mask_generation.TASK, given.rows())
    assert [read_mask(row[0]).shape for row in response.output("mask").data] == [(4, 6), (9, 2)]


def test_the_tasks_above_are_all_that_pad_files() -> None:
    padded = {
        name
        for name in task_names()
        if any(spec.is_file and len(spec.shape) > 1 for spec in get_task(name).outputs)
    }
    assert padded == {task.name for task, *_ in RAGGED}


@pytest.mark.parametrize("file", [b"", b"no image"])
def test_a_row_whose_image_cannot_be_read_gets_the_size_of_another(file: bytes) -> None:
    task, _, _ = RAGGED[0]
    given = image_segmentation.ImageSegmentationInput(images=[file, photo(3, 5)])
    output = image_segmentation.ImageSegmentationOutput(segments=[[], [segment(3, 5)]])
    response = with_blanks(output.to_inference_response("m"), task, given.rows())
    [[blank], _] = response.output("mask").data
    assert read_mask(blank).shape == (5, 3)


def test_rows_of_equal_lengths_are_left_as_they_are() -> None:
    task, given, _ = RAGGED[0]
    rows: list[list[Any]] = [[], [], []]
    output = image_segmentation.ImageSegmentationOutput(segments=rows)
    response = output.to_inference_response("m")
    assert with_blanks(response, task, given.rows()).output("mask").data == rows


def test_a_local_task_fills_them_too() -> None:
    from wherry.tasks.create import LocalTask

    task, given, output = RAGGED[0]

    class Fixed:
        def run(self, _: object) -> list[TaskOutput]:
            return output.rows()

    local = LocalTask(task, Fixed(), "m")  # type: ignore[arg-type] # all that is asked of one
    response: v2.InferenceResponse = local(given.to_inference_request())
    assert all(file for row in response.output("mask").data for file in row)
