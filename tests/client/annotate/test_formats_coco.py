"""COCO's five kinds, read and evaluated by pycocotools; panoptic by the rules of its format."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from wherry.protocol.errors import RowError

from .answers import HARD_IDS, HARD_LABELS, SIZE, box, disc, row, segment, written

#: pycocotools', of numpy.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def load(path: Path) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def average_precision(truth: Path, found: Path, kind: str, known: COCO | None = None) -> float:
    """AP at IoU 0.5 to 0.95 of the annotations of a file, as results, against another's."""
    with contextlib.redirect_stdout(io.StringIO()):
        held = known or load(truth)
        results = held.loadRes(json.loads(found.read_text())["annotations"])
        evaluation = COCOeval(held, results, kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0])


def boxes(shift: float = 0.0, wrong: int = 0) -> list[Any]:
    """Ten images of three boxes, some moved, some labels wrong, one image empty."""
    rows = []
    for n in range(10):
        found = [
            box("boat" if n >= wrong else "gull", 0.9, 10 + shift, 20, 110 + shift, 220),
            box("gull", 0.8, 200 + shift, 20, 300 + shift, 120),
            box("buoy", 0.7, 400 + shift, 300, 500 + shift, 400),
        ]
        rows.append(row("object-detection", n, found))
    return [*rows, row("object-detection", 10, [])]


def test_detections_evaluate_as_they_should(tmp_path):
    truth = written("coco-detection", tmp_path / "truth.json", boxes(), "object-detection")
    # IoU 90 / 110 = 0.818: right at seven of the ten thresholds from 0.5 to 0.95.
    moved = written("coco-detection", tmp_path / "moved.json", boxes(10), "object-detection")
    assert average_precision(truth, truth, "bbox") == pytest.approx(1)
    assert average_precision(truth, moved, "bbox") == pytest.approx(0.7)
    wrong = written("coco-detection", tmp_path / "wrong.json", boxes(wrong=5), "object-detection")
    assert average_precision(truth, wrong, "bbox") < 0.9


def test_detections_say_what_coco_says(tmp_path):
    rows = [
        row("object-detection", 7, [box("boat", 0.5, 1.004, 2, 11, 22.5)], path="/d/000007.jpg")
    ]
    coco = load(written("coco-detection", tmp_path / "out.json", rows, "object-detection", top=1))
    assert coco.loadAnns(coco.getAnnIds()) == [
        {
            "id": 1,
            "image_id": 8,
            "category_id": 1,
            "bbox": [1.0, 2.0, 10.0, 20.5],
            "area": 205.0,
            "iscrowd": 0,
            "score": 0.5,
        }
    ]
    assert coco.loadImgs(8) == [
        {"id": 8, "file_name": "000007.jpg", "width": 640, "height": 480, "wherry_id": "000007.jpg"}
    ]
    assert coco.dataset["info"]["wherry"] == {
        "task": "object-detection",
        "model": "sea",
        "version": "3",
        "parameters": {"top": 1},
        "source": "photos",
    }


def test_images_without_objects_are_listed(tmp_path):
    rows = [row("object-detection", n, []) for n in range(3)]
    coco = load(written("coco-detection", tmp_path / "out.json", rows, "object-detection"))
    assert coco.getImgIds() == [1, 2, 3]
    assert coco.getAnnIds() == []


def test_categories_count_in_the_order_of_first_sight(tmp_path):
    rows = [
        row("object-detection", n, [box(label, 0.5, 0, 0, 9, 9)], row_id)
        for n, (label, row_id) in enumerate(zip([*HARD_LABELS, "boat"], HARD_IDS, strict=False))
    ]
    coco = load(written("coco-detection", tmp_path / "out.json", rows, "object-detection"))
    assert [c["name"] for c in coco.loadCats(coco.getCatIds())] == list(HARD_LABELS)
    assert [a["category_id"] for a in coco.loadAnns(coco.getAnnIds())][-1] == 1
    assert [image["wherry_id"] for image in coco.loadImgs(coco.getImgIds())] == list(
        HARD_IDS[: len(rows)]
    )


@pytest.mark.parametrize("task", ["image-segmentation", "mask-generation"])
def test_masks_evaluate_and_decode(tmp_path, task):
    def rows(radius: int) -> list[Any]:
        made = []
        for n in range(4):
            found = [
                segment("boat", 0.9, disc(100 + n, 100, radius)),
                segment("gull", 0.5, disc(400, 300, 40)),
            ]
            for one in found if task == "mask-generation" else ():
                del one["label"]
            made.append(row(task, n, found))
        return [*made, row(task, 4, [segment("boat", 0.5, disc(900, 900, 5))])]

    truth = written("coco-instance", tmp_path / "truth.json", rows(50), task)
    smaller = written("coco-instance", tmp_path / "smaller.json", rows(45), task)
    assert average_precision(truth, truth, "segm") == pytest.approx(1)
    assert 0.5 < average_precision(truth, smaller, "segm") < 1
    coco = load(truth)
    first = coco.loadAnns(coco.getAnnIds(imgIds=1))[0]
    mask = disc(100, 100, 50)
    assert np.array_equal(coco.annToMask(first), mask)
    assert first["area"] == mask.sum() == coco_mask.area(first["segmentation"])
    assert first["bbox"] == coco_mask.toBbox(first["segmentation"]).tolist() == [50, 50, 101, 101]
    assert coco.getAnnIds(imgIds=5) == []  # a mask without a pixel
    names = ["boat", "gull"] if task == "image-segmentation" else ["object"]
    assert [c["name"] for c in coco.loadCats(coco.getCatIds())] == names


def pose(names: str, x: float, of: int = 0) -> list[dict[str, Any]]:
    return [
        {"label": name, "score": 0.5, "x": x + 30 * place, "y": 50 + 40 * place, "object": of}
        for place, name in enumerate(names)
    ]


def test_keypoints_evaluate(tmp_path):
    names = "abcdefghijklmnopq"  # as many as the evaluation has sigmas for
    rows = [row("keypoint-detection", n, [*pose(names, 10), *pose(names, 60, 1)]) for n in range(3)]
    moved = [
        row("keypoint-detection", n, [*pose(names, 90), *pose(names, 140, 1)]) for n in range(3)
    ]
    truth = written("coco-keypoints", tmp_path / "truth.json", rows, "keypoint-detection")
    other = written("coco-keypoints", tmp_path / "moved.json", moved, "keypoint-detection")
    assert average_precision(truth, truth, "keypoints") == pytest.approx(1)
    assert average_precision(truth, other, "keypoints") < 1


def test_keypoints_that_are_missing_leave_their_place(tmp_path):
    rows = [
        row("keypoint-detection", 0, pose("ba", 0)),
        row("keypoint-detection", 1, []),
        row("keypoint-detection", 2, [*pose("c", 5, 0), *pose("ab", 7, 3)]),
    ]
    coco = load(written("coco-keypoints", tmp_path / "out.json", rows, "keypoint-detection"))
    assert coco.loadCats(1)[0]["keypoints"] == ["b", "a", "c"]
    held = coco.loadAnns(coco.getAnnIds())
    assert [a["keypoints"] for a in held] == [
        [0, 50, 2, 30, 90, 2, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 5, 50, 2],
        [37, 90, 2, 7, 50, 2, 0, 0, 0],
    ]
    assert [a["num_keypoints"] for a in held] == [2, 1, 2]
    assert [a["image_id"] for a in held] == [1, 3, 3]
    assert held[0]["bbox"] == [0, 50, 30, 40]


def test_points_of_an_object_need_not_follow_each_other(tmp_path):
    first, second = pose("ab", 0, of=0), pose("ab", 100, of=1)
    mixed = [first[0], second[0], first[1], second[1]]
    rows = [row("keypoint-detection", 0, mixed)]
    coco = load(written("coco-keypoints", tmp_path / "out.json", rows, "keypoint-detection"))
    assert [a["num_keypoints"] for a in coco.loadAnns(coco.getAnnIds())] == [2, 2]


def test_points_without_names_are_numbered(tmp_path):
    points = [{"label": "", "score": 0.5, "x": n, "y": n, "object": 0} for n in range(3)]
    rows = [row("keypoint-detection", 0, points)]
    coco = load(written("coco-keypoints", tmp_path / "out.json", rows, "keypoint-detection"))
    assert coco.loadCats(1)[0]["keypoints"] == ["point", "point_2", "point_3"]


def test_captions(tmp_path):
    rows = [
        row("image-to-text", n, text) for n, text in enumerate(["a boat\nat sea", "", "\u6d77"])
    ]
    coco = load(written("coco-captions", tmp_path / "out.json", rows, "image-to-text"))
    assert coco.getImgIds() == [1, 2, 3]
    assert coco.loadAnns(coco.getAnnIds()) == [
        {"id": 1, "image_id": 1, "caption": "a boat\nat sea"},
        {"id": 2, "image_id": 3, "caption": "\u6d77"},
    ]


def panoptic(
    tmp_path: Path, rows: list[Any], **parameters: Any
) -> tuple[dict[str, Any], list[Any]]:
    """The document, and each annotation's map of segment ids."""
    out = written("coco-panoptic", tmp_path / "out", rows, "image-segmentation", **parameters)
    document = json.loads((out / "panoptic.json").read_text())
    maps = []
    for entry in document["annotations"]:
        with Image.open(out / "panoptic" / entry["file_name"]) as image:
            assert (image.mode, image.format) == ("RGB", "PNG")
            colours = np.asarray(image).astype(int)
        maps.append(colours @ [1, 256, 65536])
    return document, maps


def test_panoptic_keeps_the_rules_of_its_format(tmp_path):
    sea = np.ones(SIZE[::-1], bool)
    boat, hidden = disc(100, 100, 50), disc(100, 100, 20)
    rows = [
        row(
            "image-segmentation", 0, [segment("boat", 0.9, boat), segment("sea", 0.8, sea & ~boat)]
        ),
        row("image-segmentation", 1, []),
        row(
            "image-segmentation",
            2,
            [segment("gull", 0.2, hidden), segment("sea", 0.5, sea), segment("boat", 0.9, boat)],
        ),
    ]
    document, maps = panoptic(tmp_path, rows)
    categories = {c["id"]: c["name"] for c in document["categories"]}
    assert [c["isthing"] for c in document["categories"]] == [1, 1]
    assert [a["image_id"] for a in document["annotations"]] == [i["id"] for i in document["images"]]
    for entry, ids in zip(document["annotations"], maps, strict=True):
        told = {segment["id"]: segment for segment in entry["segments_info"]}
        # Each id of the map is told, each told id is in the map, and 0 is neither's.
        assert set(told) == set(np.unique(ids)) - {0}
        for number, info in told.items():
            across, down = (
                np.flatnonzero((ids == number).any(0)),
                np.flatnonzero((ids == number).any(1)),
            )
            assert info["area"] == (ids == number).sum()
            assert info["bbox"] == [across[0], down[0], np.ptp(across) + 1, np.ptp(down) + 1]
            assert info["category_id"] in categories
    assert maps[1].shape == (480, 640)
    assert not maps[1].any()
    held = document["annotations"][2]["segments_info"]
    assert [categories[s["category_id"]] for s in held] == ["sea", "boat"]  # none sees the gull
    assert np.array_equal(maps[2] == held[1]["id"], boat)


def test_panoptic_counts_past_255_segments(tmp_path):
    masks = [np.zeros((20, 20), bool) for _ in range(300)]
    for n, mask in enumerate(masks):
        mask.flat[n] = True
    found = [segment("dot", 0.5, mask) for mask in masks]
    document, (ids,) = panoptic(tmp_path, [row("image-segmentation", 0, found, size=(20, 20))])
    assert ids.max() == 300
    assert len(document["annotations"][0]["segments_info"]) == 300


def test_semantic_maps_are_stuff(tmp_path):
    rows = [row("image-segmentation", 0, [segment("sea", 1.0, disc(9, 9, 5))])]
    document, _ = panoptic(tmp_path, rows, subtask="semantic")
    assert document["categories"][0]["isthing"] == 0


def test_masks_of_two_sizes_are_refused(tmp_path):
    found = [segment("a", 0.5, np.ones((4, 4))), segment("b", 0.5, np.ones((5, 4)))]
    with pytest.raises(RowError, match="in one image"):
        panoptic(tmp_path, [row("image-segmentation", 0, found)])
