"""YOLO, Pascal VOC, mask and file folders: read by the rules of each format."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from wherry.client.annotate.formats import OutputLayout, writer_of
from wherry.client.annotate.pictures import Pictures
from wherry.protocol.errors import RowError
from wherry.tasks.registry import get_task
from wherry.tasks.values.masks import read_mask
from wherry.tasks.values.polygons import polygon

from .answers import (
    HARD_IDS,
    HARD_LABELS,
    SIZE,
    box,
    contents,
    disc,
    examples,
    origin,
    row,
    segment,
    written,
)

DETECT = "object-detection"


def labelled() -> list[Any]:
    """Rows of hard ids and labels, an object each."""
    pairs = zip(HARD_IDS, [*HARD_LABELS] * 2, strict=False)
    return [
        row("object-detection", n, [box(label, 0.5, 64, 48, 128, 96)], row_id)
        for n, (row_id, label) in enumerate(pairs)
    ]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


# YOLO


def read_yolo(file: Path) -> list[tuple[int, list[float]]]:
    """A label file as trainers check it: a class, then shares between 0 and 1."""
    objects = []
    for line in file.read_text(encoding="ascii").splitlines():
        number, *shares = line.split()
        assert all(0 <= float(share) <= 1 for share in shares)
        assert len(shares) == 4 or (len(shares) >= 6 and len(shares) % 2 == 0)
        objects.append((int(number), [float(share) for share in shares]))
    return objects


def test_yolo_boxes(tmp_path):
    rows = [
        row(
            "object-detection",
            0,
            [box("boat", 0.5, 64, 48, 128, 96), box("gull", 0.5, -64, 240, 320, 999)],
        ),
        row("object-detection", 1, []),
        row(
            "object-detection",
            2,
            [box("gull", 0.5, 700, 0, 800, 10), box("gull", 0.5, 0, 0, 640, 480)],
        ),
    ]
    out = written("yolo", tmp_path / "out", rows, "object-detection")
    assert read_yolo(out / "labels" / "000000.txt") == [
        (0, [0.15, 0.15, 0.1, 0.1]),
        (1, [0.25, 0.75, 0.5, 0.5]),
    ]
    assert read_yolo(out / "labels" / "000001.txt") == []
    assert read_yolo(out / "labels" / "000002.txt") == [(1, [0.5, 0.5, 1, 1])]
    assert (out / "classes.txt").read_text() == "boat\ngull\n"
    data = yaml.safe_load((out / "data.yaml").read_text())
    # Without a path, readers start from the file's own folder.
    assert data == {"train": "images", "val": "images", "names": {0: "boat", 1: "gull"}}


def test_yolo_names_any_label_and_any_id(tmp_path):
    out = written("yolo", tmp_path / "out", labelled(), "object-detection")
    data = yaml.safe_load((out / "data.yaml").read_text(encoding="utf-8"))
    names = [data["names"][n] for n in range(len(HARD_LABELS))]
    assert names == [label.replace("\udcff", "\\udcff") for label in HARD_LABELS]
    assert len((out / "classes.txt").read_text(encoding="utf-8").splitlines()) == len(HARD_LABELS)
    index = lines(out / "images.jsonl")
    assert [entry["id"] for entry in index] == list(HARD_IDS)
    for n, entry in enumerate(index):
        assert [number for number, _ in read_yolo(out / entry["file"])] == [n % len(HARD_LABELS)]


def test_yolo_without_labels(tmp_path):
    out = written("yolo", tmp_path / "out", [row("object-detection", 0, [])], "object-detection")
    assert yaml.safe_load((out / "data.yaml").read_text())["names"] == {}
    assert (out / "classes.txt").read_text() == ""


def filled(corners: Any, size: tuple[int, int]) -> Any:
    """A polygon's pixels by the even-odd rule, told at each one's middle."""
    inside = np.zeros(size[::-1], bool)
    middles_x, middles_y = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        crosses = (y0 > middles_y) != (y1 > middles_y)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside ^= crosses & (middles_x < (x1 - x0) * (middles_y - y0) / (y1 - y0) + x0)
    return inside


@pytest.mark.parametrize("seed", range(20))
def test_polygons_cover_the_pixels_of_any_mask(seed):
    mask = np.random.default_rng(seed).random((7, 9)) < seed / 20
    assert np.array_equal(filled(polygon(mask), (9, 7)) if mask.any() else mask, mask)


def test_a_polygon_of_a_rectangle_is_its_corners():
    mask = np.zeros((6, 8), bool)
    mask[2:5, 1:7] = True
    assert polygon(mask) == [(1, 2), (7, 2), (7, 5), (1, 5), (1, 2)]
    assert polygon(np.zeros((3, 3), bool)) == []


@pytest.mark.parametrize("name", ["yolo", "label-studio", "voc", "coco-detection"])
def test_an_image_of_unknown_size_is_refused_and_leaves_nothing(tmp_path, name):
    rows = [row("object-detection", n, [box("boat", 0.5, 1, 2, 3, 4)]) for n in range(2)]
    writer = writer_of(name, get_task("object-detection"))
    with writer(tmp_path / "out", origin("object-detection")) as writing:
        writing.write(rows[0])
        with pytest.raises(RowError, match="the size of its image is not known"):
            writing.write(replace(rows[1], size=None))
    written(name, tmp_path / "without", rows[:1], "object-detection")
    assert contents(tmp_path / "out") == contents(tmp_path / "without")


# Pascal VOC


def read_voc(file: Path) -> dict[str, Any]:
    """An annotation by the fields of the development kit; each is to be there once."""

    def text(node: ET.Element, name: str) -> str:
        (found,) = node.findall(name)
        return found.text or ""

    root = ET.parse(file).getroot()
    assert root.tag == "annotation"
    (size,), (source,) = root.findall("size"), root.findall("source")
    objects = []
    for node in root.findall("object"):
        (bndbox,) = node.findall("bndbox")
        assert text(node, "pose") == "Unspecified"
        assert {text(node, "truncated"), text(node, "difficult")} == {"0"}
        corners = [int(text(bndbox, name)) for name in ("xmin", "ymin", "xmax", "ymax")]
        objects.append((text(node, "name"), corners, float(text(node, "score"))))
    return {
        "folder": text(root, "folder"),
        "filename": text(root, "filename"),
        "size": [int(text(size, name)) for name in ("width", "height", "depth")],
        "database": text(source, "database"),
        "segmented": text(root, "segmented"),
        "objects": objects,
    }


def test_voc_boxes(tmp_path):
    found = [
        box("boat", 0.875, 0, 0, 640, 480),
        box("gull", 0.5, 10.4, 19.6, 20.4, 30.4),
        box("dot", 0.5, 700, 5, 800, 5.1),
        box("wide", 0.5, -20, -20, 9, 9),
    ]
    rows = [row("object-detection", 0, found, "a/b.jpg"), row("object-detection", 1, [], "c.jpg")]
    out = written("voc", tmp_path / "out", rows, "object-detection")
    assert read_voc(out / "Annotations" / "a" / "b.xml") == {
        "folder": "",
        "filename": "a/b.jpg",
        "size": [640, 480, 3],
        "database": "photos",
        "segmented": "0",
        "objects": [
            ("boat", [1, 1, 640, 480], 0.875),
            ("gull", [11, 21, 20, 30], 0.5),
            ("dot", [640, 6, 640, 6], 0.5),
            ("wide", [1, 1, 9, 9], 0.5),
        ],
    }
    assert read_voc(out / "Annotations" / "c.xml")["objects"] == []
    listed = (out / "ImageSets" / "Main" / "default.txt").read_text().splitlines()
    assert listed == ["a/b", "c"]
    assert (out / "labelmap.txt").read_text().splitlines() == [
        "# label:color_rgb:parts:actions",
        "background:0,0,0::",
        "boat:128,0,0::",  # the challenge's colours
        "gull:0,128,0::",
        "dot:128,128,0::",
        "wide:0,0,128::",
    ]


def test_voc_has_its_pictures_and_its_parts(tmp_path):
    pictures = Pictures(tmp_path / "waiting", link=False)
    layout = OutputLayout(pictures=pictures, split={"val": 0.5})
    out = tmp_path / "out"
    with writer_of("voc", get_task(DETECT))(out, origin(DETECT), layout) as writer:
        for n, row_id in enumerate(["a.png", "in/a.png", "cam 10:30", "b.jpg"]):
            pictures.keep(n, b"\x89PNG\r\n\x1a\n" + bytes([n]), "")
            writer.write(row(DETECT, n, [box("boat", 0.5, 1, 2, 3, 4)], row_id))
    index = lines(out / "images.jsonl")
    assert [entry["picture"] for entry in index] == [
        *("JPEGImages/a.png", "JPEGImages/in/a.png"),
        *("JPEGImages/cam 10_30.png", "JPEGImages/b.png"),
    ]
    for n, entry in enumerate(index):
        assert (out / entry["picture"]).read_bytes()[-1] == n
        held = read_voc(out / entry["file"])
        assert f"{held['folder']}/{held['filename']}" == entry["picture"]
    sets = {f.stem: f.read_text().split("\n")[:-1] for f in (out / "ImageSets" / "Main").iterdir()}
    assert sets.keys() == {"train", "val"}
    assert sorted(sets["train"] + sets["val"]) == ["a", "b", "cam 10_30", "in/a"]
    assert writer.notes == []


def test_voc_holds_any_label_and_any_id(tmp_path):
    out = written("voc", tmp_path / "out", labelled(), "object-detection")
    index = lines(out / "images.jsonl")
    assert [entry["id"] for entry in index] == list(HARD_IDS)
    read = [read_voc(out / entry["file"])["objects"][0][0] for entry in index]
    for label, held in zip(HARD_LABELS, read, strict=False):
        assert held == label.replace("\x00", "\ufffd").replace("\udcff", "\\udcff")
    declared = (out / "labelmap.txt").read_text(encoding="utf-8").splitlines()[2:]
    assert [line.split(":")[0] for line in declared] == [
        *("boat", "caf\u00e9, \u6d77", "\U0001f6a2", 'quo"te', "back\\slash", "nul\ufffd"),
        *("half\\udcff", "NA", "<&>", "=1+1"),
    ]
    listed = (out / "ImageSets" / "Main" / "default.txt").read_text().splitlines()
    assert [f"Annotations/{name}.xml" for name in listed] == [entry["file"] for entry in index]


# Masks and files


def test_masks_are_files_as_they_were_answered(tmp_path):
    masks = [disc(100, 100, 50), disc(300, 300, 40)]
    found = [segment("boat", 0.9, masks[0]), segment("gull", 0.8, masks[1])]
    rows = [row("image-segmentation", 0, found, "a/b.jpg"), row("image-segmentation", 1, [])]
    out = written("masks", tmp_path / "out", rows, "image-segmentation")
    first, second = lines(out / "manifest.jsonl")
    assert first["segments"] == [
        {"label": "boat", "score": 0.9, "mask": "a/b/mask-000.png"},
        {"label": "gull", "score": 0.8, "mask": "a/b/mask-001.png"},
    ]
    for told, mask in zip(first["segments"], masks, strict=True):
        assert np.array_equal(read_mask((out / told["mask"]).read_bytes()), mask)
    assert second["segments"] == []
    assert second["id"] == "000001.jpg"
    assert len(contents(out)) == 3


@pytest.mark.parametrize(
    ("task", "ends"),
    [
        ("text-to-image", [".png"]),
        ("image-anonymization", [".png"]),
        ("text-to-audio", [".wav"]),
        ("text-to-speech", [".wav"]),
        ("depth-estimation", [".f32", ".png"]),
    ],
)
def test_files_are_those_that_were_answered(tmp_path, task, ends):
    rows = examples(task)
    out = written("files", tmp_path / "out", rows, task)
    held = {name: data for name, data in contents(out).items() if name != "manifest.jsonl"}
    assert sorted(Path(name).suffix for name in held) == ends
    output = get_task(task).example.output
    answered = [v for row in output.rows()[0].model_dump().values() for v in row]
    flat = [part for v in answered for part in (v.values() if isinstance(v, dict) else [v])]
    assert set(held.values()) == {part for part in flat if isinstance(part, bytes)}
    for name in held:
        assert json.dumps(name) in (out / "manifest.jsonl").read_text()


def test_a_semantic_map_has_a_number_per_class(tmp_path):
    sea = np.ones(SIZE[::-1], bool)
    rows = [
        row(
            "image-segmentation",
            0,
            [
                segment("sea", 0.5, sea),
                segment("boat", 0.9, disc(99, 99, 9)),
                segment("boat", 0.8, disc(300, 300, 9)),
            ],
        ),
        row("image-segmentation", 1, []),
        row("image-segmentation", 2, [segment("boat", 0.8, disc(300, 300, 9))]),
    ]
    out = written("semantic-masks", tmp_path / "out", rows, "image-segmentation")
    assert json.loads((out / "classes.json").read_text()) == {"1": "sea", "2": "boat"}
    maps = [np.asarray(Image.open(out / entry["file"])) for entry in lines(out / "images.jsonl")]
    assert maps[0].dtype == np.uint8
    assert np.array_equal(maps[0] == 2, disc(99, 99, 9) | disc(300, 300, 9))
    assert (maps[0] == 1).sum() == sea.sum() - (maps[0] == 2).sum()
    assert maps[1].shape == SIZE[::-1]
    assert not maps[1].any()
    assert set(np.unique(maps[2])) == {0, 2}


def test_a_semantic_map_of_many_classes_has_16_bits(tmp_path):
    rows = [
        row("image-segmentation", n, [segment(f"class {n}", 1.0, np.ones((4, 5)))], size=(5, 4))
        for n in range(300)
    ]
    out = written("semantic-masks", tmp_path / "out", rows, "image-segmentation")
    for n in (0, 254, 255, 299):
        held = np.asarray(Image.open(out / "masks" / f"{n:06d}.png"))
        assert set(np.unique(held)) == {n + 1}
