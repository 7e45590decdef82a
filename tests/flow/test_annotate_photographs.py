"""A folder of photographs through the real stack and real models, into files that others read.

The models are this repository's own, trained on drawn shapes, and PP-OCR inside rapidocr. What the
first two find in photographs means nothing; what counts here is that each prediction in a file is
what the model says of that photograph alone, in a process of its own without any queue.
"""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from wherry.client import Client
from wherry.client.annotate import Options, Summary, annotate
from wherry.ops.stack import Stack
from wherry.tasks.base import TaskOutput
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.locate import locate
from wherry.tasks.values.masks import read_mask

from ..support.models import model
from .photographs import PAGE, photographs, pictures

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    # pycocotools' own
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

coco = pytest.importorskip("pycocotools.coco", reason="in the test group; a bare install lacks it")
pytest.importorskip("rapidocr", reason="in the extra ocr")

SHAPES = "package:wherry.samples/weights/shapes"
SEGMENTER = "package:wherry.samples/weights/shapes-segmenter"
MODELS = (
    model("object-detection", backend="transformers", source=SHAPES, max_batch_size=4, threads=1)
    + model(
        "image-segmentation", backend="transformers", source=SEGMENTER, max_batch_size=4, threads=1
    )
    + model(
        "optical-character-recognition",
        backend="onnxruntime",
        source="package:rapidocr/models",
        max_batch_size=4,
        threads=1,
    )
)

#: So low that drawn shapes are found in photographs.
THRESHOLD = 0.05
#: A batch of another size rounds another way in the last digits; pixels are written to hundredths.
SCORE, PIXELS = 2e-5, 0.06


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photographs(tmp_path_factory.mktemp("photographs"))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("stack")
    (folder / "models.toml").write_text(MODELS)
    with (
        Stack(models=folder / "models.toml", data_dir=folder, flower=False) as stack,
        Client(stack.url) as client,
    ):
        yield client


def alone(photos: Path, backend: str, task: str, source: str | None, **fields: Any) -> Answers:
    """What a model says of each photograph, one at a time, in this process."""
    place = source and str(locate(source, Path()))
    found: LocalTask = create_task(backend, task, place, {"threads": 1})
    with found as model:
        return {
            name: model.process(
                model.task.input.validated({"images": [(photos / name).read_bytes()], **fields})
            )
            for name in pictures(photos)
        }


Answers = dict[str, TaskOutput]


def run(client: Client, photos: Path, out: Path, form: str, model: str, **fields: Any) -> Summary:
    options = Options(source=str(photos), model=model, out=out, format=form, parameters=fields)
    summary = annotate(client, options)
    assert (summary.rows, summary.failed) == (len(pictures(photos)) + 1, 1)
    [error] = map(json.loads, Path(f"{out}.errors.jsonl").read_text().splitlines())
    assert error["id"] == "broken.jpg"
    return summary


def opened(path: Path) -> Any:
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does
        return coco.COCO(str(path))


def sizes(photos: Path) -> dict[str, tuple[int, int]]:
    found = {}
    for name in pictures(photos):
        with Image.open(photos / name) as image:
            found[name] = image.size
    return found


def test_coco_boxes_are_what_the_model_says_of_each_photograph(
    client: Client, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "boxes.json"
    run(client, photos, out, "coco-detection", "object-detection", threshold=THRESHOLD)
    expected = alone(photos, "transformers", "object-detection", SHAPES, threshold=THRESHOLD)
    read = opened(out)
    listed = {image["file_name"]: image for image in read.loadImgs(read.getImgIds())}
    shown = {name: (image["width"], image["height"]) for name, image in listed.items()}
    assert shown == sizes(photos)
    found = 0
    for name, output in expected.items():
        entries = read.loadAnns(read.getAnnIds(imgIds=[listed[name]["id"]]))
        [objects] = output.detections  # type: ignore[attr-defined] # of ObjectDetectionOutput
        assert len(entries) == len(objects), name
        for entry, item in zip(entries, objects, strict=True):
            [category] = read.loadCats([entry["category_id"]])
            box = item.box
            wanted = (box.xmin, box.ymin, box.xmax - box.xmin, box.ymax - box.ymin)
            assert category["name"] == item.label
            assert entry["score"] == pytest.approx(item.score, abs=SCORE)
            assert entry["bbox"] == pytest.approx(wanted, abs=PIXELS)
        found += len(objects)
    assert found >= 5, "nothing was found: the test would hold nothing"


def test_coco_masks_are_what_the_model_says_of_each_photograph(
    client: Client, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "masks.json"
    run(client, photos, out, "coco-instance", "image-segmentation")
    expected = alone(photos, "transformers", "image-segmentation", SEGMENTER)
    read, found = opened(out), 0
    for image in read.loadImgs(read.getImgIds()):
        entries = read.loadAnns(read.getAnnIds(imgIds=[image["id"]]))
        [segments] = expected[image["file_name"]].segments  # type: ignore[attr-defined] # its own
        assert len(entries) == len(segments)
        for entry, segment in zip(entries, segments, strict=True):
            mask, wanted = read.annToMask(entry).astype(bool), read_mask(segment.mask)
            assert mask.shape == (image["height"], image["width"]) == wanted.shape
            # A pixel between two classes may fall to either in another batch.
            assert np.mean(mask != wanted) < 1e-3
        found += len(segments)
    assert found >= 5, "nothing was found: the test would hold nothing"


def test_label_studio_boxes_are_what_the_model_says_of_each_photograph(
    client: Client, photos: Path, tmp_path: Path
) -> None:
    out, whole = tmp_path / "tasks.json", sizes(photos)
    run(client, photos, out, "label-studio", "object-detection", threshold=THRESHOLD)
    expected = alone(photos, "transformers", "object-detection", SHAPES, threshold=THRESHOLD)
    tasks = {task["data"]["wherry_id"]: task for task in json.loads(out.read_text())}
    assert list(tasks) == list(expected), "every photograph, in order"
    for name, output in expected.items():
        assert Path(tasks[name]["data"]["image"]) == photos / name
        [prediction] = tasks[name]["predictions"]
        [objects] = output.detections  # type: ignore[attr-defined] # of ObjectDetectionOutput
        width, height = whole[name]
        for result, item in zip(prediction["result"], objects, strict=True):
            assert (result["original_width"], result["original_height"]) == whole[name]
            value, box = result["value"], item.box
            assert value["rectanglelabels"] == [item.label]
            left, top = value["x"] * width / 100, value["y"] * height / 100
            edges = (left, top, value["width"] * width / 100, value["height"] * height / 100)
            clipped = _clipped(box, width, height)
            assert edges == pytest.approx(clipped, abs=PIXELS)


def _clipped(box: Any, width: int, height: int) -> tuple[float, ...]:
    """Left, top, width, height of what lies in the image."""
    left, right = (min(max(edge, 0), width) for edge in (box.xmin, box.xmax))
    top, bottom = (min(max(edge, 0), height) for edge in (box.ymin, box.ymax))
    return left, top, right - left, bottom - top


def test_label_studio_lines_are_what_is_written_in_a_scan(
    client: Client, photos: Path, tmp_path: Path
) -> None:
    out, model = tmp_path / "lines.json", "optical-character-recognition"
    run(client, photos, out, "label-studio", model, threshold=0.5)
    expected = alone(photos, "onnxruntime", model, None, threshold=0.5)
    tasks = {task["data"]["wherry_id"]: task for task in json.loads(out.read_text())}
    for name, output in expected.items():
        results = tasks[name]["predictions"][0]["result"]
        [lines] = output.lines  # type: ignore[attr-defined] # of OpticalCharacterRecognitionOutput
        texts = [r["value"]["text"][0] for r in results if r["type"] == "textarea"]
        assert texts == [line.text for line in lines], name
    read = json.dumps(tasks[PAGE]).lower()
    assert "segmentation" in read, "a page about region-based segmentation"


def test_a_second_process_writes_the_same_bytes(
    client: Client, photos: Path, tmp_path: Path
) -> None:
    """The command line, a ledger of its own: nothing of a run leaks into its output."""
    ours, theirs = tmp_path / "ours.json", tmp_path / "theirs.json"
    run(client, photos, ours, "coco-detection", "object-detection", threshold=0.9)
    command = [
        *(sys.executable, "-m", "wherry.ops.cli", "annotate", str(photos)),
        *("--model", "object-detection", "--param", "threshold=0.9", "--format", "coco-detection"),
        *("--out", str(theirs), "--url", client.url, "--json"),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1, "one file is no picture"
    assert json.loads(done.stdout)["failed"] == 1
    assert ours.read_bytes() == theirs.read_bytes()
