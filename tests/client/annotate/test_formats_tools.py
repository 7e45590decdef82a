"""CVAT, LabelMe, Open Images, Datumaro and palette images: read by the rules of each format.

tests/peers/test_annotation_readers.py has real readers of them.
"""

from __future__ import annotations

import base64
import csv
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from wherry.client.annotate.formats import writer_of
from wherry.protocol.errors import RowError
from wherry.tasks.registry import get_task
from wherry.tasks.values.masks import read_mask
from wherry.tasks.values.rle import decode_compressed, mask_of

from .answers import HARD_IDS, HARD_LABELS, SIZE, box, disc, origin, row, segment, written

RING = disc(100, 100, 50) & ~disc(100, 100, 20)
CORNER = np.pad(np.ones((2, 3), bool), ((0, SIZE[1] - 2), (0, SIZE[0] - 3)))
BOXES = [
    row(
        "object-detection",
        0,
        [box("boat", 0.875, 1.234, 2, 31.239, 42), box("gull", 0.5, -5, 10, 20, 999)],
        "a/b.jpg",
        path="photos/a/b.jpg",
    ),
    row("object-detection", 1, [], "c.png"),
]
MASKS = [
    row(
        "image-segmentation",
        0,
        [segment("ring", 0.5, RING), segment("none", 0.5, RING & False), segment("x", 1, CORNER)],
    )
]
POINTS = [
    row(
        "keypoint-detection",
        0,
        [
            {"label": "nose", "score": 0.5, "x": 3.25, "y": 4.5, "object": 0},
            {"label": "", "score": 0.25, "x": 30, "y": 40, "object": 1},
        ],
    )
]
FOG = [{"label": "fog", "score": 0.75}, {"label": "wall", "score": 0.25}]
LABELS = [row("image-classification", 0, FOG)]
HARD = [
    row("object-detection", n, [box(HARD_LABELS[n % len(HARD_LABELS)], 0.5, 1, 2, 3, 4)], row_id)
    for n, row_id in enumerate(HARD_IDS)
]


# CVAT


def read_cvat(file: Path) -> tuple[list[str], list[ET.Element]]:
    """The labels, and the images."""
    root = ET.parse(file).getroot()
    assert [child.tag for child in root[:2]] == ["version", "meta"]
    assert root.findtext("version") == "1.1"
    images = root.findall("image")
    assert root.findtext("meta/task/size") == str(len(images))
    labels = root.findall("meta/task/labels/label")
    assert all(label.findtext("attributes/attribute/name") == "score" for label in labels)
    return [label.findtext("name") or "" for label in labels], images


def test_cvat_boxes(tmp_path):
    labels, images = read_cvat(written("cvat", tmp_path / "out.xml", BOXES, "object-detection"))
    assert labels == ["boat", "gull"]
    assert [image.attrib for image in images] == [
        {"id": "0", "name": "a/b.jpg", "width": "640", "height": "480"},
        {"id": "1", "name": "c.png", "width": "640", "height": "480"},
    ]
    told = [
        (
            each.get("label"),
            *(float(each.get(name, "")) for name in ("xtl", "ytl", "xbr", "ybr")),
            each.findtext("attribute[@name='score']"),
        )
        for each in images[0].findall("box")
    ]
    assert told == [("boat", 1.23, 2, 31.24, 42, "0.875"), ("gull", -5, 10, 20, 999, "0.5")]


def test_cvat_masks_are_runs_of_lines_in_the_box_around_them(tmp_path):
    _, images = read_cvat(written("cvat", tmp_path / "out.xml", MASKS, "image-segmentation"))
    masks = images[0].findall("mask")
    assert [mask.get("label") for mask in masks] == ["ring", "x"]
    for mask, expected in zip(masks, (RING, CORNER), strict=True):
        left, top, width, height = (
            int(mask.get(name, "")) for name in ("left", "top", "width", "height")
        )
        runs = [int(run) for run in mask.get("rle", "").split(",")]
        whole = np.zeros_like(expected)
        # Columns of the turned mask are its lines.
        whole[top : top + height, left : left + width] = mask_of(runs, width, height).T
        assert np.array_equal(whole, expected)
        assert (width, height) == ((101, 101) if left else (3, 2))


def test_cvat_points_and_tags(tmp_path):
    _, images = read_cvat(written("cvat", tmp_path / "out.xml", POINTS, "keypoint-detection"))
    told = [(p.get("label"), p.get("points"), p.get("group_id")) for p in images[0]]
    assert told == [("nose", "3.25,4.50", "1"), ("point", "30.00,40.00", "2")]
    labels, images = read_cvat(
        written("cvat", tmp_path / "tags.xml", LABELS, "image-classification")
    )
    assert labels == ["fog"]
    assert [(tag.tag, tag.get("label")) for tag in images[0]] == [("tag", "fog")]


def test_cvat_holds_any_label_and_any_id(tmp_path):
    labels, images = read_cvat(written("cvat", tmp_path / "out.xml", HARD, "object-detection"))
    expected = [
        label.replace("\x00", "\ufffd").replace("\udcff", "\\udcff") for label in HARD_LABELS
    ]
    assert labels == expected
    assert [image[0].get("label") for image in images[: len(expected)]] == expected
    assert len({image.get("name") for image in images}) == len(HARD_IDS)


# LabelMe


def test_labelme_shapes(tmp_path):
    out = written("labelme", tmp_path / "boxes", BOXES, "object-detection")
    document = json.loads((out / "a" / "b.json").read_text())
    assert {name: document[name] for name in ("imagePath", "imageData", "flags")} == {
        "imagePath": "b.jpg",
        "imageData": None,
        "flags": {},
    }
    assert (document["imageWidth"], document["imageHeight"]) == SIZE
    told = [(s["label"], s["shape_type"], s["points"], s["score"]) for s in document["shapes"]]
    assert told == [
        ("boat", "rectangle", [[1.23, 2.0], [31.24, 42.0]], 0.875),
        ("gull", "rectangle", [[-5.0, 10.0], [20.0, 999.0]], 0.5),
    ]
    assert json.loads((out / "c.json").read_text())["shapes"] == []
    out = written("labelme", tmp_path / "points", POINTS, "keypoint-detection")
    shapes = json.loads((out / "000000.json").read_text())["shapes"]
    grouped = [(s["label"], s["points"], s["group_id"]) for s in shapes]
    assert grouped == [("nose", [[3.25, 4.5]], 0), ("point", [[30.0, 40.0]], 1)]
    out = written("labelme", tmp_path / "labels", LABELS, "image-classification")
    document = json.loads((out / "000000.json").read_text())
    assert (document["flags"], document["shapes"]) == ({"fog": True}, [])


def test_labelme_masks_lie_between_their_corners(tmp_path):
    out = written("labelme", tmp_path / "out", MASKS, "image-segmentation")
    shapes = json.loads((out / "000000.json").read_text())["shapes"]
    assert [shape["label"] for shape in shapes] == ["ring", "x"]
    for shape, expected in zip(shapes, (RING, CORNER), strict=True):
        (left, top), (right, bottom) = shape["points"]
        whole = np.zeros_like(expected)
        part = read_mask(base64.b64decode(shape["mask"]))
        whole[top : bottom + 1, left : right + 1] = part
        assert np.array_equal(whole, expected)


# Open Images


def table(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_open_images_boxes(tmp_path):
    rows = [*BOXES, row("object-detection", 2, [box("gull", 0.5, 700, 0, 800, 10)])]
    out = written("open-images", tmp_path / "out", rows, "object-detection") / "annotations"
    boxes = table(out / "default-annotations-bbox.csv")
    told = [(b["ImageID"], b["LabelName"], float(b["Confidence"])) for b in boxes]
    assert told == [("a/b", "boat", 0.875), ("a/b", "gull", 0.5)]
    edges = [[float(b[name]) for name in ("XMin", "XMax", "YMin", "YMax")] for b in boxes]
    pixels = np.array(edges) * [SIZE[0], SIZE[0], SIZE[1], SIZE[1]]
    assert pixels == pytest.approx(np.array([[1.23, 31.24, 2, 42], [0, 20, 10, 480]]), abs=0.01)
    images = table(out / "default-images-with-rotation.csv")
    assert [image["ImageID"] for image in images] == ["a/b", "c", "000002"]
    assert images[0]["OriginalURL"] == "photos/a/b.jpg"
    # One without an area is left out.
    assert (out / "class-descriptions.csv").read_text() == "boat,boat\ngull,gull\n"


def test_open_images_labels(tmp_path):
    out = written("open-images", tmp_path / "out", LABELS, "image-classification") / "annotations"
    labels = table(out / "default-annotations-machine-imagelabels.csv")
    assert labels == [
        {"ImageID": "000000", "Source": "machine", "LabelName": each["label"], "Confidence": score}
        for each, score in zip(FOG, ("0.75", "0.25"), strict=True)
    ]


# Datumaro


def read_datumaro(folder: Path) -> tuple[list[str], list[dict[str, Any]]]:
    document = json.loads((folder / "annotations" / "default.json").read_text(encoding="utf-8"))
    assert document["dm_format_version"] == "1.0"
    labels = [label["name"] for label in document["categories"]["label"]["labels"]]
    return labels, document["items"]


def test_datumaro_shapes(tmp_path):
    labels, items = read_datumaro(
        written("datumaro", tmp_path / "boxes", BOXES, "object-detection")
    )
    assert labels == ["boat", "gull"]
    assert [item["id"] for item in items] == ["a/b", "c"]
    assert items[0]["image"] == {"path": "a/b.jpg", "size": [480, 640]}
    told = [(a["label_id"], a["bbox"], a["attributes"]) for a in items[0]["annotations"]]
    assert told == [
        (0, [1.23, 2.0, 30.01, 40.0], {"score": 0.875}),
        (1, [-5.0, 10.0, 25.0, 989.0], {"score": 0.5}),
    ]
    _, items = read_datumaro(written("datumaro", tmp_path / "masks", MASKS, "image-segmentation"))
    for told, expected in zip(items[0]["annotations"], (RING, CORNER), strict=True):
        assert np.array_equal(
            decode_compressed(told["rle"]["counts"], *told["rle"]["size"]), expected
        )
    labels, items = read_datumaro(
        written("datumaro", tmp_path / "points", POINTS, "keypoint-detection")
    )
    assert [(a["points"], a["group"]) for a in items[0]["annotations"]] == [
        ([3.25, 4.5], 1),
        ([30.0, 40.0], 2),
    ]
    assert labels == ["nose", "point"]
    caption = [row("image-to-text", 0, "A boat.")]
    _, items = read_datumaro(written("datumaro", tmp_path / "texts", caption, "image-to-text"))
    assert [a["caption"] for a in items[0]["annotations"]] == ["A boat."]


def test_datumaro_looks_for_no_image_outside(tmp_path):
    paths = ["/etc/x.png", "s3://bucket/x.png", "C:/x.png", "../x.png", "a b:c.png"]
    rows = [row("object-detection", n, [], str(n), path=path) for n, path in enumerate(paths)]
    _, items = read_datumaro(written("datumaro", tmp_path / "out", rows, "object-detection"))
    assert [item["image"]["path"] for item in items] == [
        *("0.png", "1.png", "2.png", "3.png"),
        "a b:c.png",
    ]


# Palette images


def test_indexed_masks_have_the_colours_of_voc(tmp_path):
    whole = [
        segment("background", 0.5, np.ones(SIZE[::-1], bool)),
        segment("boat", 0.9, disc(99, 99, 9)),
        segment("a: b", 0.8, disc(300, 300, 9)),
    ]
    rows = [row("image-segmentation", 0, whole, "a/b.jpg"), row("image-segmentation", 1, [])]
    out = written("indexed-masks", tmp_path / "out", rows, "image-segmentation")
    assert (out / "labelmap.txt").read_text() == (
        "# label:color_rgb:parts:actions\nbackground:0,0,0::\nboat:128,0,0::\na\\x3a b:0,128,0::\n"
    )
    image = Image.open(out / "SegmentationClass" / "a" / "b.png")
    assert image.mode == "P"
    assert np.array_equal(np.asarray(image) == 1, disc(99, 99, 9))
    assert np.array_equal(np.asarray(image) == 2, disc(300, 300, 9))
    assert image.convert("RGB").getpixel((300, 300)) == (0, 128, 0)
    assert (image.getpalette() or [])[3 * 255 :] == [224, 224, 192]
    assert not np.asarray(Image.open(out / "SegmentationClass" / "000001.png")).any()
    listed = out / "ImageSets" / "Segmentation" / "default.txt"
    assert listed.read_text() == "a/b\n000001\n"


def test_indexed_masks_have_room_for_254_classes(tmp_path):
    full = [segment(f"class {n}", 1.0, np.ones((1, 1))) for n in range(255)]
    task = "image-segmentation"
    with writer_of("indexed-masks", get_task(task))(tmp_path / "out", origin(task)) as writer:
        with pytest.raises(RowError, match="more than 254 classes in all; semantic-masks"):
            writer.write(row(task, 0, full, size=(1, 1)))
        writer.write(row(task, 1, full[1:], size=(1, 1)))
    assert len((tmp_path / "out" / "labelmap.txt").read_text().splitlines()) == 256
