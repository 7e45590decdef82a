"""CSV, Parquet and `datasets` folders: read by pandas, pyarrow and datasets."""

from __future__ import annotations

import csv
import json
import math
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from pycocotools import mask as coco_mask

from wherry.client.annotate.formats import columns, datasets_folder, formats_for
from wherry.client.annotate.formats.records import annotation_of, record_of
from wherry.tasks.registry import get_task, task_names

from .answers import (
    HARD_IDS,
    HARD_LABELS,
    box,
    contents,
    disc,
    examples,
    origin,
    row,
    segment,
    written,
)


def labels(count: int = 2) -> list[Any]:
    """Rows of hard labels and ids."""
    return [
        row(
            "image-classification", n, [{"label": label, "score": 0.25} for label in HARD_LABELS], i
        )
        for n, i in enumerate(HARD_IDS[:count])
    ]


def cleaned(text: str) -> str:
    return text.replace("\udcff", "\\udcff")


@pytest.mark.parametrize("name", ["parquet", "datasets"])
@pytest.mark.parametrize("task", task_names())
def test_tables_hold_what_was_answered(tmp_path, task, name):
    rows = examples(task)
    path = written(name, tmp_path / "out", rows, task)
    back = read(path)
    if task in ("custom", "tensor"):  # any JSON
        told = [record_of(annotation, get_task(task))["result"] for annotation in rows]
        assert [json.loads(record["result"]) for record in back] == told
    else:
        found = get_task(task)
        again = [record_of(annotation_of(record, found), found) for record in back]
        assert again == [record_of(annotation, found) for annotation in rows]


def read(path: Path) -> list[dict[str, Any]]:
    table = pq.read_table(path) if path.is_file() else datasets.load_from_disk(str(path)).data.table
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def test_pandas_reads_parquet(tmp_path):
    frame = pd.read_parquet(
        written("parquet", tmp_path / "out", labels(23), "image-classification")
    )
    assert list(frame.columns) == ["id", "path", "index", "size", "results"]
    assert list(frame["id"]) == list(map(cleaned, HARD_IDS))
    assert [item["label"] for item in frame["results"][0]] == list(map(cleaned, HARD_LABELS))
    assert frame["size"][0].tolist() == [640, 480]


def test_types_are_those_of_the_answers(tmp_path):
    schema = pq.read_schema(written("parquet", tmp_path / "out", [], "object-detection"))
    corners = ", ".join(f"{corner}: double" for corner in ("xmin", "ymin", "xmax", "ymax"))
    held = str(schema.field("detections").type)
    assert held == f"list<element: struct<label: string, score: double, box: struct<{corners}>>>"
    assert columns.read_origin(schema)["task"] == "object-detection"
    schema = pq.read_schema(written("parquet", tmp_path / "vectors", [], "embedding"))
    assert str(schema.field("embedding").type) == "list<element: float>"


def test_row_groups_end_at_rows_or_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(columns, "MAX_ROWS", 100)
    rows = (row("object-detection", n, [box("boat", 0.5, 1, 2, 3, 4)]) for n in range(250))
    file = pq.ParquetFile(written("parquet", tmp_path / "a", rows, "object-detection"))
    assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [
        100,
        100,
        50,
    ]
    monkeypatch.setattr(columns, "MAX_BYTES", 5000)
    rows = (row("embedding", n, [0.5] * 100, size=None) for n in range(25))
    file = pq.ParquetFile(written("parquet", tmp_path / "b", rows, "embedding"))
    held = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    assert sum(held) == 25
    assert max(held) == 5  # of somewhat over 800 bytes each


def test_datasets_come_in_shards(tmp_path, monkeypatch):
    monkeypatch.setattr(columns, "MAX_ROWS", 10)
    monkeypatch.setattr(datasets_folder, "SHARD_BYTES", 4000)
    rows = [row("embedding", n, [n / 100] * 64, size=None) for n in range(95)]
    path = written("datasets", tmp_path / "out", rows, "embedding")
    shards = sorted(file for file in contents(path) if file.endswith(".arrow"))
    assert shards == [f"data-{n:05d}-of-{len(shards):05d}.arrow" for n in range(len(shards))]
    assert len(shards) == 5
    held = datasets.load_from_disk(str(path))
    assert len(held) == 95
    assert held[94]["embedding"] == pytest.approx([0.94] * 64)
    assert held.features["embedding"] == datasets.List(datasets.Value("float32"))
    assert held.info.description == "Text embedding by sea"


def test_other_rows_have_another_fingerprint(tmp_path):
    prints = set()
    for label in ("boat", "gull", "gull"):
        rows = [row("image-classification", 0, [{"label": label, "score": 0.5}])]
        out = tmp_path / str(len(list(tmp_path.iterdir())))
        path = written("datasets", out, rows, "image-classification")
        prints.add(datasets.load_from_disk(str(path))._fingerprint)
    assert len(prints) == 2
    assert all(len(found) == 16 for found in prints)


def test_datasets_go_on_to_work_with_it(tmp_path):
    rows = [
        row("image-classification", n, [{"label": "ab"[n % 2], "score": 0.5}]) for n in range(10)
    ]
    held = datasets.load_from_disk(
        str(written("datasets", tmp_path / "out", rows, "image-classification"))
    )
    only = held.filter(lambda r: r["results"][0]["label"] == "a").map(
        lambda r: {"n": r["index"] * 2}
    )
    assert only["n"][:] == [0, 4, 8, 12, 16]
    only.save_to_disk(str(tmp_path / "again"))
    assert datasets.load_from_disk(str(tmp_path / "again"))["index"][:] == [0, 2, 4, 6, 8]


@pytest.mark.parametrize("task", task_names())
def test_datasets_map_the_files_as_they_are(task):
    # Were the schema another, each load would cast, and so copy, all that there is.
    schema = columns.schema_of(origin(task))
    assert datasets.Features.from_arrow_schema(schema).arrow_schema == schema


def test_datasets_without_rows(tmp_path):
    held = datasets.load_from_disk(
        str(written("datasets", tmp_path / "out", [], "object-detection"))
    )
    assert len(held) == 0
    assert held.column_names == ["id", "path", "index", "size", "detections"]


def test_pandas_reads_csv_with_hard_labels(tmp_path):
    path = written("csv", tmp_path / "out.csv", labels(23), "image-classification")
    frame = pd.read_csv(path, keep_default_na=False, lineterminator="\n")
    assert list(frame.columns) == ["id", "path", "index", "width", "height", "label", "score"]
    assert list(frame["label"]) == list(map(cleaned, HARD_LABELS)) * 23
    assert list(frame["id"][:: len(HARD_LABELS)]) == list(map(cleaned, HARD_IDS))
    assert (frame["score"] == 0.25).all()


def test_csv_has_a_line_an_item_and_one_for_none(tmp_path):
    rows = [
        row("object-detection", 0, [box("boat", 0.5, 1, 2, 3, 4), box("gull", 0.25, 5, 6, 7, 8)]),
        row("object-detection", 1, []),
    ]
    frame = pd.read_csv(written("csv", tmp_path / "out.csv", rows, "object-detection"))
    assert list(frame["index"]) == [0, 0, 1]
    assert frame[["xmin", "ymin", "xmax", "ymax"]].to_numpy()[:2].tolist() == [
        [1, 2, 3, 4],
        [5, 6, 7, 8],
    ]
    assert math.isnan(frame["score"][2])
    assert list(frame["width"]) == [640] * 3


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools'
def test_csv_of_masks_has_coco_runs(tmp_path):
    mask = disc(50, 60, 20)
    rows = [row("image-segmentation", 0, [segment("boat", 0.5, mask)])]
    frame = pd.read_csv(written("csv", tmp_path / "out.csv", rows, "image-segmentation"))
    assert np.array_equal(coco_mask.decode(json.loads(frame["mask"][0])), mask)


def test_csv_of_texts_and_vectors_has_a_line_a_row(tmp_path):
    rows = [row("image-to-text", n, text) for n, text in enumerate(HARD_LABELS)]
    frame = pd.read_csv(
        written("csv", tmp_path / "a", rows, "image-to-text"),
        keep_default_na=False,
        lineterminator="\n",
    )
    assert list(frame["text"]) == list(map(cleaned, HARD_LABELS))
    path = written("csv", tmp_path / "b", [row("embedding", 0, [0.5, 1.0], size=None)], "embedding")
    assert json.loads(pd.read_csv(path)["embedding"][0]) == [0.5, 1.0]
    assert math.isnan(pd.read_csv(path)["width"][0])


def test_csv_keeps_a_ranked_text_apart_from_its_row(tmp_path):
    frame = pd.read_csv(written("csv", tmp_path / "out.csv", examples("ranking"), "ranking"))
    assert list(frame["index"]) == [0, 0, 1]
    assert list(frame["item_index"])[:2] == [1, 0]


@pytest.mark.parametrize("task", [t for t in task_names() if "csv" in formats_for(get_task(t))])
def test_every_line_of_csv_has_every_column(tmp_path, task):
    path = written("csv", tmp_path / "out.csv", examples(task), task)
    with path.open(newline="") as file:
        lines = list(csv.reader(file))
    assert len({len(line) for line in lines}) == 1
    assert len(lines) > 1
    cells = dict(zip(lines[0], lines[1], strict=True))
    for asked_for in ("tokens", "logits", "tool_calls"):
        cells.pop(asked_for, None)
    assert all([*cells.values()][5:])


def test_one_row_larger_than_a_table_goes_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(columns, "MAX_BYTES", 10)
    with ExitStack() as held:
        tables = columns.Tables(origin("embedding"), tmp_path / "x", held)
        for n in range(2):
            made = [t for t in tables.add(row("embedding", n, [0.5] * 100)) if len(t)]
            assert len(made) == n
        assert [len(table) for table in tables.rest()] == [1]
