"""Independent readers see in each format what was annotated: counts, names, scores, pixels.

The data set is tests/peers/matrix_data.py's: nested folders with equal names, no objects, odd
sizes, turned pictures, hard names and labels. docs/annotate.md's matrix is written from the cells.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.samples.models import write_samples

from . import matrix_data as data
from .conftest import Environment
from .matrix_table import CELLS, PACKAGES, POINTS, TEXT, Cell
from .test_ultralytics import PACKAGES as ULTRALYTICS
from .test_ultralytics import SAME

# Ten packages come along: CI's peers leave it out.
pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(1200)]

Line = dict[str, Any]
Drive = Callable[..., list[Line]]
Read = Callable[[str, list[tuple[str, Path]]], list[Line]]

#: Readers that do not go together. Datumaro wants an older pyarrow, Ultralytics a torch.
ENVIRONMENTS = {
    "datumaro": (f"datumaro=={PACKAGES['datumaro']}",),
    "ultralytics": ULTRALYTICS,
    "readers": tuple(
        f"{package}=={version}"
        for package, version in PACKAGES.items()
        if package not in ("datumaro", "ultralytics")
    ),
}

#: Formats are files of their own suffix, or folders.
_SUFFIXES = {
    "csv": ".csv",
    "cvat": ".xml",
    "jsonl": ".jsonl",
    "parquet": ".parquet",
    "label-studio": ".json",
    **{f"coco-{kind}": ".json" for kind in ("captions", "detection", "instance", "keypoints")},
}

#: What scores are written to.
_SCORE = 1e-6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("matrix")
    data.make_pictures(folder / "photos")
    return folder


@pytest.fixture(scope="module")
def read(environment: Environment, drive: Drive, folder: Path) -> Read:
    """What readers of one environment see in outputs."""

    def read(name: str, asked: list[tuple[str, Path]]) -> list[Line]:
        python = environment(name, *ENVIRONMENTS[name], same=SAME if name == "ultralytics" else ())
        cells = folder / f"{name}.json"
        cells.write_text(json.dumps([(reader, str(output)) for reader, output in asked]))
        return drive(python, "matrix_client.py", cells, folder / "photos")

    return read


@pytest.fixture(scope="module")
def lines(read: Read, folder: Path) -> dict[Cell, Line]:
    """What each reader saw."""
    outputs: dict[Any, Path] = {}
    for cell in CELLS:
        if _output(cell) not in outputs:
            path = folder / f"{len(outputs)}{_SUFFIXES.get(cell.form, '')}"
            data.write(cell.form, cell.task, folder / "photos", path, cell.lacks.pictures)
            outputs[_output(cell)] = path
    found: dict[Cell, Line] = {}
    for name in ENVIRONMENTS:
        cells = [cell for cell in CELLS if _environment(cell.package) == name]
        told = read(name, [(cell.reader, outputs[_output(cell)]) for cell in cells])
        found |= dict(zip(cells, told, strict=True))
    return found


def _output(cell: Cell) -> tuple[str, str, tuple[str, ...]]:
    return cell.form, cell.task, cell.lacks.pictures


def _environment(package: str) -> str:
    return package if package in ENVIRONMENTS else "readers"


def _id(cell: Cell) -> str:
    return f"{cell.form}-{cell.task}-{cell.package}"


@pytest.mark.parametrize("cell", CELLS, ids=_id)
def test_a_reader_sees_what_was_written(lines: dict[Cell, Line], cell: Cell) -> None:
    line = lines[cell]
    assert "error" not in line, line["error"]
    pictures = {picture["image"]: picture for picture in line["pictures"]}
    assert len(pictures) == len(line["pictures"]), "one picture came twice"
    given = {name: told for name, told in data.PICTURES.items() if name not in cell.lacks.pictures}
    wanted = {name for name, told in given.items() if cell.empty or told[2]}
    assert set(pictures) == wanted
    for name in wanted:
        if cell.sized:
            assert tuple(pictures[name]["size"]) == data.PICTURES[name][:2], name
        _holds(cell, name, pictures[name]["objects"])


def _holds(cell: Cell, name: str, objects: list[Line]) -> None:
    held = cell.holds.split()
    told, truth = (
        sorted(some, key=lambda one: _place(one, held)) for some in (objects, _truth(cell, name))
    )
    assert len(told) == len(truth), name
    for found, true in zip(told, truth, strict=True):
        for field in held:
            if field in ("box", "points"):
                off = np.abs(np.subtract(found[field], true[field])).max()
                assert off <= cell.pixels + 1e-6, (name, field, found, true)
            elif field == "score":
                assert found["score"] == pytest.approx(true["score"], abs=_SCORE), name
            else:
                assert found[field] == true[field], name


def _place(told: Line, held: list[str]) -> str:
    """What to sort objects by: where they are, else their names."""
    if "box" in held:
        return str([told.get("label"), *(round(10 * edge) // 10 for edge in told["box"])])
    return str([told[field] for field in ("mask", "points", "label", "text") if field in held])


def _truth(cell: Cell, name: str) -> list[Line]:
    if cell.task == TEXT:
        return [{"text": data.caption(name)}]
    found = data.things(name)
    if cell.form in ("coco-panoptic", "indexed-masks", "semantic-masks"):
        found = data.painted(found, by_label=cell.form != "coco-panoptic")
    things: list[Line] = [
        {
            "label": thing.label,
            "score": thing.score,
            "box": list(thing.box),
            "mask": {
                "shape": list(thing.mask.shape),
                "bits": base64.b64encode(np.packbits(thing.mask).tobytes()).decode(),
            },
            "points": [list(point) for point in thing.points],
        }
        for thing in found
    ]
    if cell.task == POINTS and cell.form not in ("coco-keypoints", "yolo-pose"):
        return [
            {"label": label, "score": thing["score"], "points": [point]}
            for thing in things
            for label, point in zip(data.POINTS, thing["points"], strict=True)
        ]
    return things


def test_what_a_run_wrote_has_the_same_pictures(read: Read, folder: Path) -> None:
    """The fleet's own ids and sizes; the answers are a model's."""
    out, lines = folder / "run.json", folder / "run.jsonl"
    models = write_samples(folder / "samples", ["object-detection"])
    with (
        Stack(models=models, data_dir=folder / "stack", flower=False) as stack,
        Client(stack.url) as client,
    ):
        for path in (out, lines):
            summary = client.annotate(
                folder / "photos",
                model="object-detection",
                out=path,
                parameters={"threshold": 0.0},
            )
            assert (summary.rows, summary.failed, summary.left_out) == (len(data.PICTURES), 0, {})
    coco, table = read("readers", [("pycocotools", out), ("polars_jsonl", lines)])
    for line in (coco, table):
        assert "error" not in line, line
        sizes = {picture["image"]: tuple(picture["size"]) for picture in line["pictures"]}
        assert sizes == {name: (told[0], told[1]) for name, told in data.PICTURES.items()}
    objects = [[len(picture["objects"]) for picture in line["pictures"]] for line in (coco, table)]
    assert objects[0] == objects[1]
    assert sum(objects[0]), "nothing was found: the test would hold nothing"
