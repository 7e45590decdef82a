"""Folders of labels and pictures, read by Ultralytics, supervision and Datumaro themselves."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from wherry.client.annotate.formats import OutputLayout, writer_of
from wherry.client.annotate.formats.splits import split_of
from wherry.client.annotate.pictures import Pictures
from wherry.client.annotate.rows import Annotation
from wherry.tasks.registry import get_task

from ..client.annotate.answers import box, disc, origin, row, segment
from .conftest import Environment
from .test_ultralytics import PACKAGES, SAME

pytestmark = [pytest.mark.peer, pytest.mark.timeout(1200)]

SIZE = (64, 48)
SPLIT = {"val": 0.5}
#: Names that no reader may mix up or lose, and kinds that all of these read.
IDS = ("a.jpg", "b.png", "cam 10:30.png", "CON.png", "dup.jpg", "dup.png", "c.jfif")
RING = disc(30, 24, 20, SIZE) & ~disc(33, 20, 8, SIZE)
DISC = disc(50, 10, 9, SIZE)
BOXES = [[10.0, 6.0, 42.0, 30.0], [0.0, 0.0, 64.0, 48.0]]

Line = dict[str, Any]
Read = Callable[..., list[Line]]

KINDS: dict[str, tuple[str, Any]] = {
    "yolo": ("object-detection", [box("boat", 0.5, *BOXES[0]), box("gull", 0.5, *BOXES[1])]),
    "voc": ("object-detection", [box("boat", 0.5, *BOXES[0]), box("gull", 0.5, *BOXES[1])]),
    "yolo-seg": ("image-segmentation", [segment("ring", 0.9, RING), segment("disc", 0.8, DISC)]),
    "yolo-obb": ("image-segmentation", [segment("disc", 0.8, np.ones(SIZE[::-1], bool))]),
    "yolo-pose": (
        "keypoint-detection",
        [
            {"label": name, "score": 0.5, "x": 16, "y": y, "object": 0}
            for name, y in (("nose", 12), ("tail", 36))
        ],
    ),
    "yolo-classify": ("image-classification", [{"label": "boat", "score": 1.0}]),
}


def rows(task: str, found: Any, ids: tuple[str, ...] = IDS) -> list[Annotation]:
    return [row(task, n, found, row_id, SIZE) for n, row_id in enumerate(ids)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("labels")
    photos = tmp_path_factory.mktemp("photos")
    for kind, (task, found) in KINDS.items():
        # Datumaro refuses files that lead out of their folder.
        pictures = Pictures(folder / "waiting", link=kind != "voc")
        layout = OutputLayout(pictures=pictures, split=SPLIT)
        with writer_of(kind, get_task(task))(folder / kind, origin(task), layout) as writer:
            ids = (*IDS, "in/a.jpg") if kind == "voc" else IDS
            for annotation in rows(task, found, ids):
                photo = photos / annotation.id
                photo.parent.mkdir(exist_ok=True)
                if not photo.exists():
                    photo.write_bytes(drawn(annotation.id))
                pictures.keep(annotation.index, photo.read_bytes(), str(photo))
                writer.write(annotation)
    return folder


def drawn(name: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", SIZE, (len(name), 99, 199)).save(file, "JPEG" if "j" in name else "PNG")
    return file.getvalue()


def packed(mask: Any) -> str:
    return str(np.packbits(mask).tobytes().hex())


def part(row_id: str) -> str:
    return split_of(row_id, SPLIT)


def of(lines: list[Line], kind: str) -> list[Line]:
    """A kind's lines, of which each picture has one."""
    found = [line for line in lines if line["kind"] == kind]
    assert len({line["picture"] for line in found}) == len(found) == len(IDS)
    return found


# Ultralytics


@pytest.fixture(scope="module")
def trained(
    environment: Environment, drive: Read, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[Line]:
    """What Ultralytics reads."""
    python = environment("ultralytics", *PACKAGES, same=SAME)
    return drive(python, "ultralytics_labels.py", tmp_path_factory.mktemp("config"), folder)


@pytest.mark.slow  # Torch and OpenCV come along
def test_ultralytics_reads_boxes(trained: list[Line]) -> None:
    parts = [line["part"] for line in of(trained, "yolo")]
    assert sorted(parts) == sorted(map(part, IDS))
    for line in of(trained, "yolo"):
        assert line["size"] == list(SIZE)
        found = sorted(zip(line["names"], line["boxes"], strict=True))
        assert [name for name, _ in found] == ["boat", "gull"]
        for (_, [x, y, w, h]), edges in zip(found, BOXES, strict=True):
            told = np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2]) * (SIZE * 2)
            assert told == pytest.approx(np.array(edges), abs=0.01)


@pytest.mark.slow  # likewise
def test_ultralytics_draws_masks_again(trained: list[Line]) -> None:
    for line in of(trained, "yolo-seg"):
        masks = dict(zip(line["names"], line["masks"], strict=True))
        assert masks == {"ring": packed(RING), "disc": packed(DISC)}


@pytest.mark.slow  # likewise
def test_ultralytics_reads_turned_boxes(trained: list[Line]) -> None:
    for line in of(trained, "yolo-obb"):
        corners = {(round(x, 3), round(y, 3)) for x, y in line["corners"][0]}
        assert corners == {(0, 0), (1, 0), (0, 1), (1, 1)}


@pytest.mark.slow  # likewise
def test_ultralytics_reads_points(trained: list[Line]) -> None:
    for line in of(trained, "yolo-pose"):
        assert line["names"] == ["object"]
        assert line["points"] == [[[0.25, 0.25, 2], [0.25, 0.75, 2]]]


# supervision


@pytest.fixture(scope="module")
def supervised(environment: Environment, drive: Read, folder: Path) -> list[Line]:
    python = environment("supervision", "supervision==0.31.0")
    return drive(python, "labels_client.py", "supervision", folder)


def test_supervision_reads_boxes_and_masks(supervised: list[Line]) -> None:
    for line in of(supervised, "yolo"):
        assert line["names"] == ["boat", "gull"]
        assert np.array(line["boxes"]) == pytest.approx(np.array(BOXES), abs=0.01)
    for line in of(supervised, "yolo-seg"):
        assert line["names"] == ["ring", "disc"]
        assert line["masks"] == [packed(RING), packed(DISC)]


def test_supervision_reads_the_tree_of_labels(supervised: list[Line]) -> None:
    assert all(line["names"] == ["boat"] for line in of(supervised, "yolo-classify"))


# Datumaro


@pytest.fixture(scope="module")
def imported(environment: Environment, drive: Read, folder: Path) -> list[Line]:
    python = environment("datumaro", "datumaro==1.13.12")
    return drive(python, "labels_client.py", "datumaro", folder)


def test_datumaro_imports_voc(imported: list[Line]) -> None:
    assert sorted(line["part"] for line in imported) == sorted(map(part, (*IDS, "in/a.jpg")))
    assert {line["picture"] for line in imported} >= {"a.jpg", "in/a.jpg", "cam 10_30.png"}
    for line in imported:
        assert line["names"] == ["boat", "gull"]
        # VOC counts pixels from 1, which Datumaro leaves as it is.
        assert line["boxes"] == [[11, 7, 42, 30], [1, 1, 64, 48]]
