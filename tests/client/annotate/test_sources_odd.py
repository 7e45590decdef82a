"""Tables as they come: every row is a row, or an error of that row, and none ends the run."""

from __future__ import annotations

import gzip
import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from wherry.client.annotate.rows import UnreadableRow
from wherry.tasks.registry import get_task

from .opened import open_source

TEXTS, PICTURES = get_task("text-classification"), get_task("object-detection")
SOUNDS, QUESTIONS = get_task("audio-classification"), get_task("document-question-answering")
EMPTY = "ERROR column 'image': it is empty"


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 3)).save(file, "PNG")
    return file.getvalue()


def laid(tmp_path: Path, **files: bytes) -> Path:
    for name, data in files.items():
        path = tmp_path / name.replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path


def told(path: Path, task: Any) -> dict[str, Any]:
    """Rows by their ids: what they hold, or why they cannot be read."""
    rows = list(open_source(str(path), task))
    found = {
        row.id: f"ERROR {row.reason}"
        if isinstance(row, UnreadableRow)
        else next(iter(row.values.values()))
        for row in rows
    }
    assert len(found) == len(rows), "two rows of one id"
    return found


def test_lines_with_a_mark_crlf_and_a_broken_one_among_numbers(tmp_path: Path) -> None:
    lines = (
        b'\xef\xbb\xbf{"id":1,"text":"a"}\r\n\r\n{"id":2,"text":"b"}\r\n{broken\r\n'
        b'{"id":3,"text":null}\r\n{"id":null,"text":"x"}\r\n[1]\r\n{"id":4,"text":"c"}\r\n'
    )
    assert told(laid(tmp_path, a__jsonl=lines) / "a.jsonl", TEXTS) == {
        "1": "a",
        "2": "b",
        "(row 2)": "ERROR line 4 is not JSON",
        "3": "ERROR column 'text': it is empty",
        "(row 4)": "x",
        "(row 5)": "ERROR line 7 is not a JSON object",
        "4": "c",
    }


def test_lines_of_a_packed_file_that_breaks_off_count(tmp_path: Path) -> None:
    packed = gzip.compress(b'{"text":"a"}\n' * 3 + b'{"text":"b"}')
    found = told(laid(tmp_path, a__jsonl__gz=packed[:-6]) / "a.jsonl.gz", TEXTS)
    *rows, rest = found.values()
    assert rows[:3] == ["a", "a", "a"]
    assert rest.startswith("ERROR the rest of this file cannot be read: ")


def test_text_of_another_encoding_fails_row_by_row(tmp_path: Path) -> None:
    table = "id,text\n1,caf\xe9\n2,plain\n".encode("latin-1")
    assert told(laid(tmp_path, a__csv=table) / "a.csv", TEXTS) == {
        "1": "ERROR column 'text': it is not UTF-8 text",
        "2": "plain",
    }


def test_pictures_as_datasets_keeps_them_may_be_null(tmp_path: Path) -> None:
    data = picture()
    cells = [
        {"bytes": data, "path": "x.png"},
        {"bytes": None, "path": "p.png"},
        {"bytes": None, "path": None},
        None,
        {"bytes": b"", "path": None},
        {"bytes": None, "path": "away.png"},
    ]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    pq.write_table(pa.table({"image": pa.array(cells, kind)}), tmp_path / "a.parquet")
    assert told(laid(tmp_path, p__png=data) / "a.parquet", PICTURES) == {
        "0": data,
        "1": data,
        "2": EMPTY,
        "3": EMPTY,
        "4": "ERROR column 'image': the file is empty",
        "5": "ERROR there is no such file",
    }


@pytest.mark.parametrize(
    ("ids", "names"),
    [
        ([Decimal(7), Decimal(8), None], ["7", "8", "(row 2)"]),
        ([1.0, float("nan"), float("nan")], ["1.0", "(row 1)", "(row 2)"]),
        ([b"a", b"\xff", None], ["a", "(row 1)", "(row 2)"]),
    ],
    ids=["decimal", "nan", "bytes"],
)
def test_ids_as_databases_and_pandas_have_them(
    tmp_path: Path, ids: list[Any], names: list[str]
) -> None:
    pq.write_table(pa.table({"id": ids, "text": ["a", "b", "c"]}), tmp_path / "a.parquet")
    assert list(told(tmp_path / "a.parquet", TEXTS)) == names


def test_decimals_are_numbers_of_a_record(tmp_path: Path) -> None:
    task = get_task("tabular-classification")
    table = pa.table({"age": [Decimal("3.50"), None], "count": [Decimal(2), Decimal(3)]})
    pq.write_table(table, tmp_path / "a.parquet")
    assert list(told(tmp_path / "a.parquet", task).values()) == [
        {"age": 3.5, "count": 2},
        {"age": None, "count": 3},
    ]


def test_a_folder_of_pictures_as_datasets_loads_it(tmp_path: Path) -> None:
    data = picture()
    there = laid(
        tmp_path,
        **{"train/cat/1__png": data, "train/dog/1__png": data, "test/2__png": data},
        **{"train/metadata__csv": b"file_name,question\ncat/1.png,what?\ngone.png,who?\n"},
        **{"test/metadata__jsonl": b'{"image_file_name":"2.png","question":"where?"}\r\n'},
    )
    source = open_source(str(there), PICTURES)
    assert [row.id for row in source] == ["test/2.png", "train/cat/1.png", "train/dog/1.png"]
    assert source.left_out == {".csv": 1, ".jsonl": 1}
    first, gone = open_source(str(there / "train/metadata.csv"), QUESTIONS)
    assert first.values == {"images": data, "questions": "what?"}
    assert gone.reason == "there is no such file"
    [row] = open_source(str(there / "test/metadata.jsonl"), QUESTIONS)
    assert row.values == {"images": data, "questions": "where?"}


def test_a_folder_of_sounds_as_datasets_loads_it(tmp_path: Path) -> None:
    there = laid(
        tmp_path, **{"data/a__wav": b"RIFF", "metadata__csv": b"file_name,text\ndata/a.wav,hi\n"}
    )
    assert told(there, SOUNDS) == {"data/a.wav": b"RIFF"}
    assert told(there / "metadata.csv", SOUNDS) == {"0": b"RIFF"}
