"""Label Studio's predictions, by the rules of its import; its own SDK reads them in tests/peers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest

from wherry.client.annotate.formats import OutputLayout, writer_of
from wherry.tasks.label_studio.brush_rle import brush_rle
from wherry.tasks.registry import get_task

from .answers import HARD_IDS, HARD_LABELS, box, disc, examples, origin, row, segment, written


def tasks(tmp_path: Path, rows: list[Any], task: str) -> list[dict[str, Any]]:
    path = written("label-studio", tmp_path / "out.json", rows, task)
    held: list[dict[str, Any]] = json.loads(path.read_bytes())
    for entry in held:
        assert set(entry) == {"data", "predictions"}
        (prediction,) = entry["predictions"]
        assert prediction["model_version"] == "sea:3"
        assert 0 <= prediction["score"] <= 1
        for result in prediction["result"]:
            assert set(result) >= {"id", "type", "from_name", "to_name", "value"}
            assert result["to_name"] in entry["data"]
            assert result["type"] in result["value"] or result["type"] in ("rectangle", "textarea")
    return held


def results(entry: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = entry["predictions"][0]["result"]
    return found


def test_boxes_are_percent_of_the_image(tmp_path):
    found = [box("boat", 0.5, 64, 48, 320, 96), box("gull", 1.0, -64, 0, 64, 999)]
    rows = [row("object-detection", 3, found, path="s3://b/p.jpg"), row("object-detection", 4, [])]
    first, second = tasks(tmp_path, rows, "object-detection")
    assert first["data"] == {"image": "s3://b/p.jpg", "wherry_id": "000003.jpg"}
    assert first["predictions"][0]["score"] == 0.75
    boat, gull = results(first)
    assert boat == {
        "id": "3-0",
        "type": "rectanglelabels",
        "from_name": "box",
        "to_name": "image",
        "original_width": 640,
        "original_height": 480,
        "image_rotation": 0,
        "score": 0.5,
        "value": {
            "x": 10,
            "y": 10,
            "width": 40,
            "height": 10,
            "rotation": 0,
            "rectanglelabels": ["boat"],
        },
    }
    assert [gull["value"][k] for k in ("x", "y", "width", "height")] == [0, 0, 10, 100]
    assert second["data"]["image"] == "000004.jpg"
    assert results(second) == []


@pytest.mark.parametrize(
    ("prefix", "begins", "is_url"),
    [
        ("/data/local-files/?d=photos", "/data/local-files/?d=photos/", True),
        ("/data/local-files/?d=", "/data/local-files/?d=", True),
        ("https://media.example/p/", "https://media.example/p/", True),
        ("s3://bucket/photos", "s3://bucket/photos/", False),
    ],
)
def test_a_prefix_says_where_files_are_found(tmp_path, prefix, begins, is_url):
    task = "image-to-text"
    rows = [
        row(task, 0, "a", "in/b c#1.jpg", path="/mnt/photos/in/b c#1.jpg"),
        row(task, 1, "b", "\u6d77.jpg", path="photos/\u6d77.jpg"),
        row(task, 2, "c", "17", path="/mnt/table/x.jpg"),
        row(task, 3, "d", "18"),
    ]
    layout = OutputLayout(media_prefix=prefix)
    writer = writer_of("label-studio", get_task(task))
    with writer(tmp_path / "out", origin(task), layout) as writing:
        for annotation in rows:
            writing.write(annotation)
    shown = [entry["data"]["image"] for entry in json.loads((tmp_path / "out").read_bytes())]
    found = [unquote(where) for where in shown] if is_url else shown
    below = ["in/b c#1.jpg", "\u6d77.jpg", "mnt/table/x.jpg", "18"]
    assert found == [begins + name for name in below]
    assert not is_url or shown[0] == begins + "in/b%20c%231.jpg"


def test_hard_labels_and_ids(tmp_path):
    rows = [
        row("image-classification", n, [{"label": label, "score": 0.5}], row_id)
        for n, (row_id, label) in enumerate(zip(HARD_IDS, HARD_LABELS, strict=False))
    ]
    held = tasks(tmp_path, rows, "image-classification")
    assert [results(entry)[0]["value"]["choices"] for entry in held] == [
        [label] for label in HARD_LABELS
    ]
    assert [entry["data"]["wherry_id"] for entry in held] == list(HARD_IDS[: len(rows)])


def test_the_surest_label_is_the_choice(tmp_path):
    rows = [
        row(
            "audio-classification",
            0,
            [{"label": "hiss", "score": 0.75}, {"label": "hum", "score": 0.25}],
        )
    ]
    (entry,) = tasks(tmp_path, rows, "audio-classification")
    assert [r["value"] for r in results(entry)] == [{"choices": ["hiss"]}]
    assert results(entry)[0]["to_name"] == "audio"
    assert entry["predictions"][0]["score"] == 0.75


@pytest.mark.parametrize(
    ("task", "text", "medium"),
    [
        ("image-to-text", "a grey square", "image"),
        ("automatic-speech-recognition", " All aboard. Cast off!", "audio"),
        ("visual-question-answering", "grey", "image"),
        ("document-question-answering", "39.50", "image"),
    ],
)
def test_texts(tmp_path, task, text, medium):
    first = tasks(tmp_path, examples(task), task)[0]
    (result,) = results(first)
    assert (result["type"], result["from_name"], result["to_name"]) == ("textarea", "text", medium)
    assert result["value"] == {"text": [text]}


def test_lines_are_a_box_and_a_text_of_one_region(tmp_path):
    found = box("", 0.5, 64, 48, 320, 96)
    found["text"] = "Total: 39.50"
    (entry,) = tasks(
        tmp_path,
        [row("optical-character-recognition", 0, [found])],
        "optical-character-recognition",
    )
    region, text = results(entry)
    assert region["id"] == text["id"]
    assert (region["type"], text["type"]) == ("rectangle", "textarea")
    assert text["value"] == {**region["value"], "text": ["Total: 39.50"]}


def test_keypoints(tmp_path):
    points = [{"label": "nose", "score": 0.5, "x": 320, "y": 120, "object": 0}]
    (entry,) = tasks(tmp_path, [row("keypoint-detection", 0, points)], "keypoint-detection")
    (result,) = results(entry)
    assert result["value"] == {"x": 50, "y": 25, "width": 0.5, "keypointlabels": ["nose"]}


def decoded(rle: list[int], shape: tuple[int, int]) -> Any:
    """A mask of Label Studio's runs, bit by bit as its format is told."""
    bits = "".join(f"{byte:08b}" for byte in rle)
    at = 0

    def take(count: int) -> int:
        nonlocal at
        at += count
        return int(bits[at - count : at], 2)

    total, word, sizes = take(32), take(5) + 1, [take(4) + 1 for _ in range(4)]
    out: list[int] = []
    while len(out) < total:
        is_run, count = take(1), take(sizes[take(2)]) + 1
        out += [take(word)] * count if is_run else [take(word) for _ in range(count)]
    assert len(bits) - at < 8
    pixels = np.reshape(out, (*shape, 4))
    assert (pixels == pixels[..., :1]).all()
    assert set(np.unique(pixels)) <= {0, 255}
    return pixels[..., 3] > 0


@pytest.mark.parametrize(
    "mask",
    [
        disc(100, 200, 50, (320, 240)),
        np.zeros((50, 60), bool),
        np.ones((300, 400), bool),
        np.random.default_rng(0).random((30, 40)) < 0.5,
        np.ones((1, 1), bool),
        np.arange(12).reshape(3, 4) == 11,
    ],
    ids=["disc", "nothing", "all", "noise", "pixel", "last"],
)
def test_brush_strokes_are_the_mask(mask):
    assert np.array_equal(decoded(brush_rle(mask), mask.shape), mask)


def test_masks(tmp_path):
    rows = [
        row(
            "image-segmentation",
            0,
            [segment("boat", 0.5, disc(40, 30, 9, (64, 48)))],
            size=(64, 48),
        )
    ]
    (entry,) = tasks(tmp_path, rows, "image-segmentation")
    (result,) = results(entry)
    assert result["value"]["brushlabels"] == ["boat"]
    assert result["value"]["format"] == "rle"
    assert np.array_equal(decoded(result["value"]["rle"], (48, 64)), disc(40, 30, 9, (64, 48)))


def test_no_rows_are_an_empty_list(tmp_path):
    assert tasks(tmp_path, [], "object-detection") == []
