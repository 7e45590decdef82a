"""cvat-sdk's auto-annotation runs our functions as it would over a task of a server's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

import wherry
from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.samples.models import write_samples
from wherry.tasks.registry import get_task
from wherry.tasks.values.masks import read_mask

from .conftest import Environment

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(1500)]

NAME = "cvat-sdk 2.80.0"
PACKAGE = NAME.replace(" ", "==")
#: What our client needs.
SAME = ("httpx", "imagesize", "numpy", "pillow", "pydantic", "pydantic-settings", "rich", "typer")
MODELS = (
    *("embedding", "image-classification", "image-segmentation", "keypoint-detection"),
    *("mask-generation", "object-detection", "zero-shot-object-detection"),
)
#: Of what is compared.
SURE = 0.05

Line = dict[str, Any]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, paths = tmp_path_factory.mktemp("shapes"), []
    for number in range(4):
        image = Image.new("RGB", (96, 64), "white")
        drawing, left = ImageDraw.Draw(image), 4 + 9 * number
        shape = drawing.ellipse if number % 2 else drawing.rectangle
        shape((left, 10, left + 36, 46), fill="red")
        paths.append(folder / f"{number}.png")
        image.save(paths[-1])
    return paths


#: Model -> the fleet's own answer to each picture.
answers: dict[str, list[Any]] = {}


@pytest.fixture(scope="module")
def lines(
    environment: Environment,
    drive: Callable[..., list[Line]],
    pictures: list[Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Line]:
    data = tmp_path_factory.mktemp("stack")
    models = write_samples(data / "samples", sorted(MODELS))
    python = environment("cvat", PACKAGE, same=SAME)
    [package] = wherry.__path__
    with Stack(models=models, data_dir=data, flower=False) as stack, Client(stack.url) as client:
        for model in ("object-detection", "image-segmentation", "keypoint-detection"):
            fields = {"threshold": SURE} if model == "object-detection" else {}
            answers[model] = [
                client.infer(
                    model,
                    get_task(model).input.validated({"images": [path.read_bytes()], **fields}),
                )
                for path in pictures
            ]
        told = drive(python, "cvat_client.py", Path(package).parent, stack.url, pictures[0].parent)
    refused = {f"{line['run']} {line.get('model', '')}".strip(): line for line in told}
    return {**{line["run"]: line for line in told}, **refused}


def shapes(line: Line, frame: int) -> list[Line]:
    return [shape for shape in line["shapes"] if shape["frame"] == frame]


@pytest.mark.call(NAME, "detection: rectangles")
def test_boxes_are_the_models(lines: dict[str, Line]) -> None:
    line, count = lines["object-detection"], 0
    assert line["kinds"] == ["rectangle"]
    for frame, answer in enumerate(answers["object-detection"]):
        [objects] = answer.detections
        found = shapes(line, frame)
        for shape, item in zip(found, objects, strict=True):
            box = item.box
            assert (shape["label"], shape["type"], shape["source"]) == (
                *(item.label, "rectangle"),
                "auto",
            )
            wanted = [box.xmin, box.ymin, box.xmax, box.ymax]
            assert shape["points"] == pytest.approx(wanted, abs=0.01)
        count += len(found)
    assert count >= 4, "nothing was found: the test would hold nothing"


@pytest.mark.call(NAME, "detection: masks, and as polygons")
def test_masks_are_the_models(lines: dict[str, Line]) -> None:
    line, count = lines["image-segmentation"], 0
    assert line["kinds"] == ["mask"]
    for frame, answer in enumerate(answers["image-segmentation"]):
        [segments] = answer.segments
        kept = [one for one in segments if one.score >= SURE and read_mask(one.mask).any()]
        for shape, segment in zip(shapes(line, frame), kept, strict=True):
            assert (shape["label"], shape["pixels"]) == (
                segment.label,
                int(read_mask(segment.mask).sum()),
            )
            count += 1
    assert count >= 2, "nothing was found: the test would hold nothing"
    assert lines["polygons"]["types"] == ["polygon"]


@pytest.mark.call(NAME, "detection: skeletons")
def test_keypoints_are_skeletons(lines: dict[str, Line]) -> None:
    line, count = lines["keypoint-detection"], 0
    assert line["kinds"] == ["skeleton"]
    for frame, answer in enumerate(answers["keypoint-detection"]):
        [points] = answer.keypoints
        sure = {p.label: pytest.approx([p.x, p.y], abs=0.01) for p in points if p.score >= SURE}
        if not sure:
            assert shapes(line, frame) == []
            continue
        [skeleton] = shapes(line, frame)
        inside = {e["label"]: e["points"] for e in skeleton["elements"] if not e["outside"]}
        assert inside == sure
        assert len(skeleton["elements"]) >= len(points), "those not found are there, outside"
        count += len(inside)
    assert count >= 2, "nothing was found: the test would hold nothing"


@pytest.mark.call(NAME, "detection: tags, and labels that are looked for")
def test_tags_and_labels_that_are_looked_for(lines: dict[str, Line]) -> None:
    line = lines["image-classification"]
    assert line["kinds"] == ["tag"]
    assert len({tag["frame"] for tag in line["tags"]}) == len(line["tags"]) == 4
    looked = lines["zero-shot-object-detection"]
    assert {shape["label"] for shape in looked["shapes"]} <= {"a red circle", "a red square"}


@pytest.mark.call(NAME, "allow_unmatched_labels")
def test_labels_that_a_task_has_not_are_left_out(lines: dict[str, Line]) -> None:
    assert set(lines["unmatched"]["labels"]) <= {500}


@pytest.mark.call(NAME, "interaction: clicks and boxes")
def test_clicks_and_boxes_are_answered_with_masks(lines: dict[str, Line]) -> None:
    for name in ("click", "box"):
        assert lines[name]["type"] == "mask"
        assert 0 <= lines[name]["score"] <= 1
        assert lines[name]["pixels"] >= 0


def test_what_cannot_be_a_function_is_refused_by_name(lines: dict[str, Line]) -> None:
    assert "no shapes for what embedding answers" in lines["refused embedding"]["text"]
    assert "labels: give those" in lines["refused zero-shot-object-detection"]["text"]
    assert "answers no prompts" in lines["refused object-detection"]["text"]
