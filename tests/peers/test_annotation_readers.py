"""What `wherry annotate` wrote, read by the tools that its formats are for.

Counts, names and scores as they were answered, boxes and points within 0.01 pixels, masks to the
pixel, times to the millisecond.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
from PIL import Image

from wherry.client.annotate.rows import Annotation

from ..client.annotate.answers import box, disc, row, segment, written
from ..client.annotate.test_formats_speech import said
from ..client.annotate.test_formats_texts import marked
from .conftest import Environment

# Datumaro's environment has half a gigabyte: CI's peers leave it out.
pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(1200)]

DATUMARO = ("datumaro==1.13.12",)
TEXTS = (
    *("spacy==3.8.18", "webvtt-py==0.6.0", "pysrt==1.1.2", "srt==3.5.3", "seqeval==1.2.2"),
    # Not its window: that needs Qt.
    *("--no-deps labelme==6.3.1", "imgviz", "loguru", "scikit-image", "tifffile"),
)
SAME = ("numpy", "pillow", "onnxruntime")

Told = list[dict[str, Any]]

PHOTOS = {
    "a/1.jpg": (640, 480),
    "b/1.png": (301, 427),
    "b/none.webp": (64, 48),
    "\u6d77 x.jpg": (33, 22),
}
BOXES = {
    "a/1.jpg": [box("boat", 0.875, 1.234, 2.345, 31.239, 42.001), box('<"&>', 0.5, 0, 10, 20, 480)],
    "b/1.png": [box("boat", 0.25, 0.5, 0.5, 300.7, 426.9)],
    "\u6d77 x.jpg": [box("caf\u00e9, \u6d77", 0.123456, 0, 0, 33, 22)],
}
MASKS = {
    name: [
        segment("boat", 0.9, disc(12, 12, 8, size) & ~disc(12, 12, 3, size)),
        segment("gull", 0.8, disc(0, 0, 5, size)),
    ]
    for name, size in PHOTOS.items()
    if "none" not in name
}
POINTS = {
    "a/1.jpg": [
        {"label": "nose", "score": 0.5, "x": 3.25, "y": 4.5, "object": 0},
        {"label": "tail", "score": 0.25, "x": 30.0, "y": 40.0, "object": 1},
    ]
}
FOG = {name: [{"label": "fog", "score": 0.75}, {"label": "wall", "score": 0.25}] for name in PHOTOS}
CAPTIONS = dict.fromkeys(PHOTOS, "A boat, <perhaps>.")

FOUND: dict[str, dict[str, Any]] = {
    "object-detection": BOXES,
    "image-segmentation": MASKS,
    "keypoint-detection": POINTS,
    "image-classification": FOG,
    "image-to-text": CAPTIONS,
}
FITTING = [
    ("cvat", "object-detection"),
    ("cvat", "image-segmentation"),
    ("cvat", "keypoint-detection"),
    ("cvat", "image-classification"),
    ("datumaro", "object-detection"),
    ("datumaro", "image-segmentation"),
    ("datumaro", "keypoint-detection"),
    ("datumaro", "image-classification"),
    ("datumaro", "image-to-text"),
    ("open-images", "object-detection"),
    ("indexed-masks", "image-segmentation"),
    ("labelme", "object-detection"),
    ("labelme", "image-segmentation"),
    ("labelme", "keypoint-detection"),
    ("labelme", "image-classification"),
]

TALKS = [
    said(0, [(" All <b> aboard & on.", 0.0, 2.5), (" Cast off! -->", 3661.25, 3661.25)]),
    said(1, []),
    said(2, [(f"word{n}", n * 0.5, n * 0.5 + 0.4) for n in range(20)]),
]
TEXT_ROWS = [
    marked("John Smith,\nof New York (state).", ("PER", 0, 10, 0.9), ("LOC", 15, 23, 0.9)),
    marked("", row_id="b"),
    marked(
        "\u6771\u4eac\u90fd and Rome-Ostia", ("LOC", 0, 3, 1.0), ("LOC", 8, 12, 1.0), row_id="c"
    ),
]


def rows(task: str) -> list[Annotation]:
    nothing: Any = "" if task == "image-to-text" else []
    return [
        row(task, n, FOUND[task].get(name, nothing), name, size, f"photos/{name}")
        for n, (name, size) in enumerate(PHOTOS.items())
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything, written; and the photographs."""
    folder = tmp_path_factory.mktemp("written")
    for name, size in PHOTOS.items():
        (folder / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size).save(folder / "photos" / name)
    for kind, task in FITTING:
        written(kind, folder / f"{kind}-{task}", rows(task), task)
    for kind, name in (("webvtt", "talks.vtt"), ("srt", "talks.srt")):
        written(kind, folder / name, TALKS, "automatic-speech-recognition")
    for kind, name in (("conll", "out.conll"), ("spacy", "lines.jsonl")):
        written(kind, folder / name, TEXT_ROWS, "token-classification")
    return folder


@pytest.fixture(scope="module")
def datumaro(environment: Environment, drive: Callable[..., Told], folder: Path) -> Told:
    return drive(environment("datumaro", *DATUMARO), "datumaro_client.py", folder)


@pytest.fixture(scope="module")
def texts(environment: Environment, drive: Callable[..., Told], folder: Path) -> Told:
    return drive(environment("texts", *TEXTS, same=SAME), "text_readers_client.py", folder)


def expected(task: str, name: str) -> list[dict[str, Any]]:
    """What Datumaro is to find in a photograph."""
    told: list[dict[str, Any]] = []
    for item in FOUND[task].get(name, []):
        if task == "image-to-text":
            return [{"type": "caption", "caption": CAPTIONS[name]}]
        one = {"label": item["label"], "score": item["score"]}
        if task == "object-detection":
            told.append({"type": "bbox", **one, "box": list(item["box"].values())})
        elif task == "keypoint-detection":
            place = {"points": [item["x"], item["y"]], "group": item["object"] + 1}
            told.append({"type": "points", **one, **place})
        elif task == "image-segmentation":
            told.append({"type": "mask", **one, "pixels": pixels(item["mask"])})
        else:
            return [{"type": "label", **one}]
    return told


def pixels(png: bytes) -> list[int]:
    from wherry.tasks.values.masks import read_mask

    found: list[int] = np.flatnonzero(read_mask(png)).tolist()
    return found


@pytest.mark.parametrize(
    ("kind", "task"), [f for f in FITTING if f[0] not in ("labelme", "indexed-masks")]
)
def test_datumaro_finds_what_was_answered(datumaro: Told, kind: str, task: str) -> None:
    items = {line["id"]: line for line in datumaro if line["case"] == f"{kind}-{task}"}
    assert len(items) == len(PHOTOS)
    for name, size in PHOTOS.items():
        item = items[str(PurePosixPath(name).with_suffix(""))]
        assert item["size"] == list(size)
        wanted = expected(task, name)
        assert len(item["found"]) == len(wanted)
        for told, one in zip(item["found"], wanted, strict=True):
            for field in ("box", "points"):
                if field in one:
                    assert told.pop(field) == pytest.approx(one.pop(field), abs=0.01)
            assert told == one


def test_datumaro_finds_the_classes_of_palette_images(datumaro: Told) -> None:
    items = [line for line in datumaro if line["case"].startswith("indexed-masks")]
    assert len(items) == len(PHOTOS)
    for item in items:
        name = next(n for n in PHOTOS if PurePosixPath(n).with_suffix("").as_posix() == item["id"])
        masks = {told["label"]: told["pixels"] for told in item["found"]}
        wanted = {m["label"]: set(pixels(m["mask"])) for m in MASKS.get(name, [])}
        if wanted:
            wanted["gull"] -= wanted["boat"]  # which is surer
        assert {label: set(masks[label]) for label in wanted} == wanted
        width, height = PHOTOS[name]
        assert sum(map(len, masks.values())) == width * height, "the rest is background"


@pytest.mark.parametrize("task", [task for kind, task in FITTING if kind == "labelme"])
def test_labelme_opens_the_shapes(texts: Told, task: str) -> None:
    told = {line["file"]: line for line in texts if line["call"] == f"labelme-{task}"}
    assert len(told) == len(PHOTOS)
    for name in PHOTOS:
        line = told[str(PurePosixPath(name).with_suffix(".json"))]
        found = FOUND[task].get(name, [])
        if task == "image-classification":
            assert (line["flags"], line["shapes"]) == ({"fog": True}, [])
            continue
        assert [(s[0], s[4]) for s in line["shapes"]] == [(f["label"], f["score"]) for f in found]
        if task == "image-segmentation":
            assert line["pixels"] == [pixels(item["mask"]) for item in found]
        elif task == "keypoint-detection":
            assert [(s[2], s[3]) for s in line["shapes"]] == [
                ([[item["x"], item["y"]]], item["object"]) for item in found
            ]
        else:
            for shape, item in zip(line["shapes"], found, strict=True):
                corners = [corner for point in shape[2] for corner in point]
                assert shape[1] == "rectangle"
                assert corners == pytest.approx([*item["box"].values()], abs=0.01)


@pytest.mark.parametrize("reader", ["webvtt", "pysrt", "srt"])
def test_players_libraries_read_the_subtitles(texts: Told, reader: str) -> None:
    first, silent, words = [line["cues"] for line in texts if line["call"] == reader]
    assert silent == []
    texts_of = ["All <b> aboard & on.", "Cast off! -->"]
    if reader == "webvtt":
        wanted_times = [["00:00:00.000", "00:00:02.500"], ["01:01:01.250", "01:01:01.251"]]
        assert [cue[:2] for cue in first] == wanted_times
    else:
        assert [cue[:2] for cue in first] == [[0, 2500], [3661250, 3661251]]
        texts_of[1] = "Cast off! ->"
    assert [cue[2] for cue in first] == texts_of
    assert len(words) == 2
    assert " ".join(text for _, _, text in words).split() == [f"word{n}" for n in range(20)]


def test_spacy_and_seqeval_read_the_tags(texts: Told) -> None:
    first, last = [line for line in texts if line["call"] == "spacy convert"]
    assert first["ents"] == [["John Smith", "PER"], ["New York", "LOC"]]
    assert first["words"] == [*"John Smith , of New York ( state ) .".split()]  # noqa: SIM905 # a text
    assert last["ents"] == [["\u6771\u4eac\u90fd", "LOC"], ["Rome", "LOC"]]
    found = [line["ents"] for line in texts if line["call"] == "seqeval"]
    assert found == [first["ents"], [], last["ents"]]


def test_spacy_makes_training_data_of_the_lines(texts: Told) -> None:
    found = [line["ents"] for line in texts if line["call"] == "spacy lines"]
    assert found == [
        [[0, 10, "PER"], [15, 23, "LOC"]],
        [],
        [[0, 3, "LOC"], [8, 12, "LOC"]],
    ]
