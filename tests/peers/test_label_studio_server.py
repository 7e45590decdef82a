"""A real Label Studio asks our ML backend, and imports what `annotate` and `runs pick` wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.tasks.vision.object_detection import ObjectDetectionInput, ObjectDetectionOutput

from .conftest import Environment

# Installing Label Studio takes minutes: CI's peers leave it out.
pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(2400)]

PACKAGE = "label-studio==1.23.2"
MODEL = "object-detection"
MODELS = f"""
[[models]]
name = "{MODEL}"
task = "{MODEL}"
backend = "transformers"
source = "package:wherry.samples/weights/shapes"
max_batch_size = 8
parameters = {{ threads = 1 }}
"""
CONFIG = (
    '<View><Image name="image" value="$image"/><RectangleLabels name="box" toName="image">'
    '<Label value="circle"/><Label value="square"/><Label value="triangle"/>'
    "</RectangleLabels></View>"
)

#: Rows of which the model is least sure.
PICKED = 5

Line = dict[str, Any]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("boats")
    (folder / "config.xml").write_text(CONFIG)
    for number in range(12):
        image = Image.new("RGB", (96, 64), "white")
        drawing, left = ImageDraw.Draw(image), 4 + 3 * number
        shape = drawing.ellipse if number % 2 else drawing.rectangle
        shape((left, 10, left + 36, 46), fill="red")
        image.save(folder / f"{number:02}.png")
    return folder


#: What the stack says of each picture.
found: dict[str, ObjectDetectionOutput] = {}


@pytest.fixture(scope="module")
def lines(
    environment: Environment,
    drive: Callable[..., list[Line]],
    pictures: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> list[Line]:
    """What the server saw; the stack runs only meanwhile."""
    folder = tmp_path_factory.mktemp("stack")
    (folder / "models.toml").write_text(MODELS)
    uploads = pictures / "data" / "media" / "upload"
    env = {"WHERRY_LABEL_STUDIO_UPLOADS": str(uploads)}
    python = environment("label-studio", PACKAGE)
    with (
        Stack(
            models=folder / "models.toml", data_dir=folder, flower=False, run_workers=1, env=env
        ) as stack,
        Client(stack.url) as client,
    ):
        for picture in sorted(pictures.glob("*.png")):
            answer = client.infer(MODEL, ObjectDetectionInput(images=[picture.read_bytes()]))
            assert isinstance(answer, ObjectDetectionOutput)
            found[picture.name] = answer
        client.annotate(
            pictures / "*.png",  # the folder itself would hold its output
            model=MODEL,
            out=pictures / "predictions.json",
            format="label-studio",
        )
        run = client.runs.start(pictures / "*.png", model=MODEL)
        client.runs.wait(run.id, timeout_s=120)
        client.runs.pick(run.id, pictures / "picks.json", least_sure=PICKED)
        (pictures / "99.png").write_bytes(b"no picture at all")
        backend = f"{stack.url}/label-studio/{MODEL}"
        return drive(python, "label_studio_server_client.py", backend, pictures)


def of(lines: list[Line], call: str) -> list[Line]:
    return [line for line in lines if line["call"] == call]


def labels_and_boxes(line: Line) -> list[tuple[str, float, float]]:
    [prediction] = line["predictions"]
    assert prediction["model_version"] == f"{MODEL}:1"
    return [
        (r["value"]["rectanglelabels"][0], r["value"]["x"], r["value"]["width"])
        for r in prediction["result"]
    ]


def expected(name: str) -> list[tuple[str, Any, Any]]:  # pytest's approximations
    [objects] = found[name].detections
    return [
        (
            o.label,
            pytest.approx(o.box.xmin / 96 * 100, abs=0.1),
            pytest.approx((o.box.xmax - o.box.xmin) / 96 * 100, abs=0.1),
        )
        for o in objects
    ]


def test_it_is_connected(lines: list[Line]) -> None:
    [created] = of(lines, "create")
    assert created["state"] == "CO"
    [versions] = of(lines, "versions")
    assert versions["versions"] == [f"{MODEL}:1"]


def test_its_tasks_have_the_models_boxes(lines: list[Line]) -> None:
    shown = {line["image"][-6:]: line for line in of(lines, "predicted")}
    assert len(shown) == 13
    assert shown.pop("99.png")["predictions"][0]["result"] == []
    for name, line in shown.items():
        assert labels_and_boxes(line) == expected(name)
    assert sum(map(len, map(labels_and_boxes, shown.values()))) >= 12


def test_it_imports_what_annotate_wrote(lines: list[Line], pictures: Path) -> None:
    [imported] = of(lines, "import")
    assert imported["status"] == 201
    told = json.loads(imported["text"])
    assert (told["task_count"], told["prediction_count"]) == (12, 12)
    for line in of(lines, "imported"):
        assert labels_and_boxes(line) == expected(Path(line["image"]).name)


def test_it_imports_what_was_picked_of_a_run(lines: list[Line]) -> None:
    [imported] = of(lines, "pick")
    assert imported["status"] == 201
    told = json.loads(imported["text"])
    assert (told["task_count"], told["prediction_count"]) == (PICKED, PICKED)
    names = {Path(line["image"]).name for line in of(lines, "picked")}
    scores = {name: max(o.score for o in found[name].detections[0]) for name in found}
    assert names == set(sorted(scores, key=lambda name: scores[name])[:PICKED])
    for line in of(lines, "picked"):
        assert labels_and_boxes(line) == expected(Path(line["image"]).name)
