"""Independent readers see in the formats of films what was found in their frames.

CVAT's own importer cannot be installed: datumaro's reader stands for it, but for masks, which that
one cannot read in a track.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..client.annotate.answers import written
from ..client.annotate.test_formats_films import FOLLOWED, ROWS, STRETCHES
from .conftest import Environment

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(1200)]

#: motmetrics 1.4.0 compares boxes by a function that numpy 2 has no more.
PACKAGES = {
    "datumaro": ("datumaro==1.13.12",),
    "label-studio-sdk": ("label-studio-sdk==2.1.2",),
    "motmetrics": ("motmetrics==1.4.0", "numpy<2"),
    "pycocotools": ("pycocotools==2.0.11",),
}

BOAT, CAT = (1.0, 2.0, 30.0, 40.0), (10.5, 20.0, 30.0, 46.12)
#: Of `FOLLOWED`, by object and frame.
FOLLOWED_AT = {
    **{(5, n): (15.0 + 2 * n, 15.0, 26.0 + 2 * n, 26.0) for n in range(3)},
    **{(0, n): (35.0 + 2 * n, 15.0, 46.0 + 2 * n, 26.0) for n in (0, 2)},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of three frames that are rows, and one whose objects are followed."""
    folder = tmp_path_factory.mktemp("films")
    written("coco-detection", folder / "coco.json", ROWS, "object-detection")
    written("label-studio-video", folder / "frames", STRETCHES, "image-classification")
    (folder / "frames.xml").write_text(_view(_labels("TimelineLabels", "timeline", "sea", "fog")))
    (folder / "wrong.xml").write_text(_view(_labels("TimelineLabels", "timeline", "sky")))
    written("label-studio-video", folder / "wrong", STRETCHES, "image-classification")
    for name, labels in (
        ("label-studio-video", ("boat", "cat")),
        ("label-studio-video-followed", ("object",)),
    ):
        rectangles = '<VideoRectangle name="box" toName="video"/>'
        (folder / f"{name}.xml").write_text(_view(_labels("Labels", "label", *labels) + rectangles))
    for name in ("cvat-video", "label-studio-video", "mot"):
        written(name, folder / name, ROWS[:3], "object-detection")
        written(name, folder / f"{name}-followed", [FOLLOWED], "video-mask-generation")
    return folder


def _view(controls: str) -> str:
    """A labelling configuration, as docs/annotate.md gives them."""
    return f'<View><Video name="video" value="$video"/>{controls}</View>'


def _labels(control: str, name: str, *values: str) -> str:
    held = "".join(f'<Label value="{value}"/>' for value in values)
    return f'<{control} name="{name}" toName="video">{held}</{control}>'


Read = Callable[[str], Any]


@pytest.fixture(scope="module")
def read(environment: Environment, drive: Callable[..., Any], folder: Path) -> Read:
    """What a reader sees."""

    def read(reader: str) -> Any:
        python = environment(reader, *PACKAGES[reader])
        [told] = drive(python, "film_formats_client.py", reader, folder)
        return told

    return read


def test_datumaro_sees_frames_boxes_and_tracks(read: Read) -> None:
    told = read("datumaro")
    visible = [box for box in told["cvat-video"] if not box[3]["outside"]]
    assert [(frame, label, tuple(corners)) for frame, label, corners, _ in visible] == [
        *((0, "boat", BOAT), (0, "cat", CAT), (49, "boat", BOAT))
    ]
    assert [box[3]["score"] for box in visible] == ["0.5", "0.25", "0.5"]
    followed = {
        (box[3]["track_id"], box[0]): tuple(box[2])
        for box in told["cvat-video-followed"]
        if not box[3]["outside"]
    }
    assert followed == FOLLOWED_AT
    # It takes MOTChallenge's pixels to count from 0.
    found = [(frame, label, tuple(at)) for frame, label, at, _ in told["mot"]]
    assert found == [
        *((1, "boat", _further(BOAT)), (1, "cat", _further(CAT)), (50, "boat", _further(BOAT)))
    ]
    assert [box[3]["score"] for box in told["mot"]] == [0.5, 0.25, 0.5]
    tracks = {(box[3]["track_id"], box[0]): tuple(box[2]) for box in told["mot-followed"]}
    assert tracks == {(o + 1, n + 1): _further(at) for (o, n), at in FOLLOWED_AT.items()}


def test_motmetrics_sees_what_was_written(read: Read) -> None:
    told = read("motmetrics")
    sized = [
        (left, top, right - left, pytest.approx(bottom - top))
        for left, top, right, bottom in (BOAT, CAT, BOAT)
    ]
    assert [tuple(line[:2]) for line in told["mot"]] == [(1, -1), (1, -1), (50, -1)]
    assert [tuple(line[2:6]) for line in told["mot"]] == sized
    assert [line[6:8] for line in told["mot"]] == [[0.5, 1], [0.25, 2], [0.5, 1]]
    assert {(line[1], line[0]): tuple(line[2:4]) for line in told["mot-followed"]} == {
        (o + 1, n + 1): at[:2] for (o, n), at in FOLLOWED_AT.items()
    }
    assert told["scores"] == [1.0, 2.0]


def test_pycocotools_sees_whose_frame_an_image_is(read: Read) -> None:
    assert read("pycocotools")["coco"] == [
        *(["a.mp4", 0, "boat"], ["a.mp4", 0, "cat"], ["a.mp4", 49, "boat"]),
        ["b/c.webm", 0, "cat"],
    ]


def _further(corners: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(round(corner + 1, 2) for corner in corners)


def test_label_studios_sdk_sees_rectangles_and_stretches(read: Read) -> None:
    told = read("label-studio-sdk")
    assert told["label-studio-video"] == {"errors": [], "frames": [[1], [1], [50]]}
    assert told["label-studio-video-followed"] == {"errors": [], "frames": [[1, 2, 3], [1, 3]]}
    assert told["frames"] == {"errors": [], "frames": []}
    assert told["wrong"]["errors"], "it would say so"
