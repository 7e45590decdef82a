"""YOLO's folders, paired with pictures as Ultralytics pairs them: by path, as `label_of` has it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from wherry.client.annotate.formats import OutputLayout, writer_of
from wherry.client.annotate.formats.splits import part_of, split_of
from wherry.client.annotate.pictures import Pictures
from wherry.client.annotate.rows import Annotation, SampledFrame
from wherry.protocol.errors import RowError
from wherry.tasks.registry import get_task
from wherry.tasks.values.rectangles import smallest_rectangle

from .answers import HARD_IDS, box, contents, disc, origin, row, segment, written

DETECT, SEGMENT, POSE = "object-detection", "image-segmentation", "keypoint-detection"
SMALL = (64, 48)


def picture(kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", SMALL).save(file, kind)
    return file.getvalue()


def laid_out(
    name: str,
    path: Path,
    rows: Iterable[Annotation],
    task: str,
    kind: str = "PNG",
    split: dict[str, float] | None = None,
) -> list[str]:
    """Write rows with a picture each; what was noted."""
    pictures = Pictures(path.with_name("waiting"), link=False)
    layout = OutputLayout(pictures=pictures, split=split or {})
    with writer_of(name, get_task(task))(path, origin(task), layout) as writer:
        for annotation in rows:
            pictures.keep(annotation.index, picture(kind), "")
            writer.write(annotation)
    return writer.notes


def boats(*ids: str) -> list[Annotation]:
    found = [box("boat", 0.5, 16, 12, 32, 36)]
    return [row(DETECT, n, found, row_id, SMALL) for n, row_id in enumerate(ids)]


def index_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "images.jsonl").read_text().splitlines()]


def label_of(image: Path) -> Path:
    """Where Ultralytics looks for a picture's labels (8.4, img2label_paths)."""
    path = "/labels/".join(str(image).rsplit("/images/", 1))
    return Path(path.rsplit(".", 1)[0] + ".txt")


HARD = (
    *HARD_IDS,
    *("cam 10:30:00.png", "q?.png", "a <x>.png", "x.jp2", "dup.jpg", "dup.png", "v1.2"),
    *("images/a.jpg", "images/images/b.jpg", "_images/a.jpg", "deep/images/c.v2.jpg"),
    *("photo.png/inner.png", "labels/d.png"),
)


@pytest.mark.parametrize("split", [{}, {"val": 0.4, "test": 0.2}])
def test_every_picture_finds_its_labels(tmp_path: Path, split: dict[str, float]) -> None:
    out = tmp_path / "out"
    assert laid_out("yolo", out, boats(*HARD), DETECT, split=split) == []
    for held, row_id in zip(index_of(out), HARD, strict=True):
        assert held["id"] == row_id
        assert label_of(out / held["picture"]) == out / held["file"]
        assert (out / held["picture"]).read_bytes() == picture()
        assert (out / held["file"]).read_text() == "0 0.375000 0.500000 0.250000 0.500000\n"
    files = [file for file in (out / "images").rglob("*") if file.is_file()]
    assert len(files) == len(HARD)
    assert not list((tmp_path / "waiting" / "0").iterdir())


def test_where_pictures_stay_away_labels_have_their_stems(tmp_path: Path) -> None:
    ids = ["cam 10:30:00.png", "q?.png", "in/a <x>.png", "CON.png", "x.jp2", "dots..png", "17"]
    with writer_of("yolo", get_task(DETECT))(tmp_path / "out", origin(DETECT)) as writer:
        for annotation in boats(*ids):
            writer.write(annotation)
    for row_id in ids[:-1]:
        assert label_of(tmp_path / "out" / "images" / row_id).is_file(), row_id
    assert writer.notes == []


def test_what_pairs_with_nothing_is_told(tmp_path: Path) -> None:
    ids = ["dup.jpg", "dup.png", "images/a.png", "anim.gif", "b.png"]
    with writer_of("yolo", get_task(DETECT))(tmp_path / "out", origin(DETECT)) as writer:
        for annotation in boats(*ids):
            writer.write(annotation)
    unpaired, unread = writer.notes
    assert unpaired.startswith("2 pictures ('dup.png', ...) cannot be paired with labels by name")
    assert "--images" in unpaired
    assert unread == "1 picture ('anim.gif') of a kind that Ultralytics does not read"


def test_pictures_that_no_trainer_reads_are_told(tmp_path: Path) -> None:
    assert laid_out("yolo", tmp_path / "out", boats("a.png", "b"), DETECT, kind="GIF") == [
        "2 pictures ('a.png', ...) of a kind that Ultralytics does not read"
    ]


def test_the_parts_of_a_split_are_in_the_data(tmp_path: Path) -> None:
    ids = [f"{n}.png" for n in range(40)]
    shares = {"val": 0.3, "test": 0.2}
    notes = laid_out("yolo", tmp_path / "out", boats(*ids), DETECT, split=shares)
    data = yaml.safe_load((tmp_path / "out" / "data.yaml").read_text())
    assert data == {
        "train": "images/train",
        "val": "images/val",
        "test": "images/test",
        "names": {0: "boat"},
    }
    found = {name: len(list((tmp_path / "out" / data[name]).iterdir())) for name in list(data)[:3]}
    assert sum(found.values()) == 40
    assert all(found.values())
    assert notes == []
    notes = laid_out("yolo", tmp_path / "few", boats("0.png"), DETECT, split={"test": 1e-9})
    assert notes == ["split: no row fell to test"]
    data = yaml.safe_load((tmp_path / "few" / "data.yaml").read_text())
    assert (data["val"], data["test"]) == ("images/train", "images/test")


def test_a_row_stays_in_its_part() -> None:
    ids = [f"{n}.png" for n in range(10_000)]
    shares = {"val": 0.1, "test": 0.2}
    parts = [split_of(row_id, shares) for row_id in ids]
    assert parts.count("val") == pytest.approx(1000, rel=0.1)
    assert parts.count("test") == pytest.approx(2000, rel=0.1)
    assert [split_of(row_id, {"val": 0.1}) for row_id in ids[:500]] == [
        "val" if part == "val" else "train" for part in parts[:500]
    ]
    assert split_of("a.png", shares) == split_of("a.png", dict(reversed(shares.items())))


def test_a_film_is_in_one_part_whole() -> None:
    shares, (one, *_) = {"val": 0.5}, boats("a.png")
    frames = [
        [
            part_of(replace(one, id=f"{n}.mp4#t={k}", frame=SampledFrame(f"{n}.mp4", k, 9)), shares)
            for k in range(9)
        ]
        for n in range(20)
    ]
    assert {len({*parts}) for parts in frames} == {1}
    assert {parts[0] for parts in frames} == {"train", "val"}
    assert part_of(one, shares) == split_of("a.png", shares)


def test_a_row_without_its_picture_leaves_nothing(tmp_path: Path) -> None:
    def run(name: str, *, gone: bool) -> Path:
        pictures = Pictures(tmp_path / f"{name} waiting", link=False)
        layout = OutputLayout(pictures=pictures)
        writer = writer_of("yolo", get_task(DETECT))
        with writer(tmp_path / name, origin(DETECT), layout) as writing:
            first, second = boats("a.png", "b.png")
            pictures.keep(0, picture(), "")
            writing.write(first)
            if gone:
                with pytest.raises(RowError, match="its picture is not there any more"):
                    writing.write(second)
        return tmp_path / name

    assert contents(run("with", gone=True)) == contents(run("without", gone=False))


# Polygons


def test_masks_are_polygons_that_readers_draw_again(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2", reason="comes with the extra ocr")
    ring = disc(30, 24, 20, SMALL) & ~disc(33, 20, 8, SMALL)
    dot = disc(5, 5, 0, SMALL)
    found = [segment(name, 0.5, mask) for name, mask in (("ring", ring), ("dot", dot))]
    found.append(segment("none", 0.5, ring & False))
    rows = [row(SEGMENT, 0, found, size=SMALL)]
    for name in ("yolo-seg", "yolo"):
        out = written(name, tmp_path / name, rows, SEGMENT)
        lines = (out / "labels" / "000000.txt").read_text().splitlines()
        for line, mask in zip(lines, (ring, dot), strict=True):
            shares = np.array(line.split()[1:], float)
            assert len(shares) >= 6, "fewer are a box to readers"
            for made in (np.trunc, np.rint):  # readers do either
                corners = made(shares.reshape(-1, 2) * SMALL).astype(np.int32)
                drawn = cv2.fillPoly(np.zeros(SMALL[::-1], np.uint8), [corners], 1)
                assert np.array_equal(drawn.astype(bool), mask)


# Turned boxes


def test_turned_boxes_are_the_smallest_around_masks(tmp_path: Path) -> None:
    down, across = np.mgrid[: SMALL[1], : SMALL[0]]
    mask = (abs(across + down - 54) < 9) & (abs(across - down - 8) < 20)
    rows = [row(SEGMENT, 0, [segment("boat", 0.5, mask), segment("none", 0.5, mask & False)])]
    out = written("yolo-obb", tmp_path / "out", rows, SEGMENT)
    (line,) = (out / "labels" / "000000.txt").read_text().splitlines()
    number, *shares = line.split()
    assert number == "0"
    corners = np.array(shares, float).reshape(-1, 2) * SMALL
    assert corners.tolist() == pytest.approx(np.array(smallest_rectangle(mask)), abs=0.01)


# Keypoints


def points(*found: tuple[int, str, float, float]) -> list[dict[str, Any]]:
    return [{"label": name, "score": 0.5, "x": x, "y": y, "object": o} for o, name, x, y in found]


def test_a_broken_name_does_not_end_poses(tmp_path: Path) -> None:
    """Points that are seen later have each file read again, by what the index says."""
    first = replace(row(POSE, 0, points((0, "nose", 32, 24)), size=SMALL), id="a\udcff.png")
    rows = [first, row(POSE, 1, points((0, "nose", 1, 1), (0, "eye", 4, 3)), size=SMALL)]
    laid_out("yolo-pose", tmp_path / "out", rows, POSE)
    lengths = {len(file.read_text().split()) for file in (tmp_path / "out/labels").iterdir()}
    assert lengths == {5 + 2 * 3}


def test_poses_have_a_place_for_every_point(tmp_path: Path) -> None:
    rows = [
        row(POSE, 0, points((0, "nose", 32, 24)), size=SMALL),
        row(
            POSE,
            1,
            points((1, "nose", 16, 12), (0, "eye", 48, 36), (0, "nose", 32, 24), (0, "ear", 99, 1)),
            size=SMALL,
        ),
        row(POSE, 2, [], size=SMALL),
        row(POSE, 3, points((0, "ear", -5, 1)), size=SMALL),
    ]
    out = tmp_path / "out"
    notes = laid_out("yolo-pose", out, rows, POSE)
    assert [note for note in notes if "flip_idx" in note] == notes
    data = yaml.safe_load((out / "data.yaml").read_text())
    assert data["kpt_shape"] == [2, 3]
    assert data["kpt_names"] == {0: ["nose", "eye"]}
    assert data["names"] == {0: "object"}
    read = [
        [[float(part) for part in line.split()] for line in file.read_text().splitlines()]
        for file in sorted((out / "labels").iterdir())
    ]
    assert read == [
        [[0, 0.5, 0.5, 0.015625, 0.020833, 0.5, 0.5, 2, 0, 0, 0]],
        [
            [0, 0.625, 0.625, 0.25, 0.25, 0.5, 0.5, 2, 0.75, 0.75, 2],
            [0, 0.25, 0.25, 0.015625, 0.020833, 0.25, 0.25, 2, 0, 0, 0],
        ],
        [],
        [],
    ]


# Classification


def labels(*found: tuple[str, float]) -> list[dict[str, Any]]:
    return [{"label": label, "score": score} for label, score in found]


def test_pictures_lie_under_their_surest_label(tmp_path: Path) -> None:
    task = "image-classification"
    rows = [
        row(task, 0, labels(("cat", 0.75), ("dog", 0.25)), "in/a.png"),
        row(task, 1, labels(("cat", 0.25), ("a/b", 0.75)), "in_a.png"),
        row(task, 2, labels(("a_b", 1)), "b"),
        row(task, 3, [], "c.png"),
    ]
    out = tmp_path / "out"
    notes = laid_out("yolo-classify", out, rows, task)
    assert notes[0] == "1 without a label are not in the tree"
    assert "--split val=" in notes[1]
    held = index_of(out)
    assert [entry["label"] for entry in held] == ["cat", "a/b", "a_b", None]
    files = {file.relative_to(out).as_posix() for file in out.rglob("*.png")}
    assert files == {entry["picture"] for entry in held[:3]}
    assert held[0]["picture"] == "train/cat/in_a.png"
    folders = {entry["picture"].split("/")[1] for entry in held[:3]}
    assert len(folders) == 3
    assert all(entry["picture"].count("/") == 2 for entry in held[:3])


def test_a_tree_is_split(tmp_path: Path) -> None:
    task, out = "image-classification", tmp_path / "out"
    rows = [row(task, n, labels(("cat", 1)), f"{n}.png") for n in range(20)]
    assert laid_out("yolo-classify", out, rows, task, split={"val": 0.4}) == []
    for part in ("train", "val"):
        found = {file.stem for file in (out / part / "cat").iterdir()}
        assert found == {str(n) for n in range(20) if split_of(f"{n}.png", {"val": 0.4}) == part}
