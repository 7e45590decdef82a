"""A source that is read in parts gives the rows that it gives as a whole, in their order."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wherry.client.annotate.rows import SourceRow, UnreadableRow
from wherry.client.annotate.sources import open_source
from wherry.client.annotate.sources.parts import Part
from wherry.protocol.errors import InvalidRequest
from wherry.tasks.base import Task
from wherry.tasks.registry import get_task

EMBEDDING, PICTURES = get_task("embedding"), get_task("image-classification")


def lines(count: int) -> list[str]:
    """JSONL as people write it: some lines blank, some broken, some long, some without a text."""
    odd = {7: "", 12: "{broken", 13: "[]", 20: '{"id": "r20"}', 31: "   "}
    made = [json.dumps({"id": f"r{n}", "text": f"rö {n} " * (n % 5 + 1)}) for n in range(count)]
    return [odd.get(n, line) for n, line in enumerate(made)]


def jsonl(folder: Path) -> str:
    (folder / "rows.jsonl").write_text("\n".join(lines(100)) + "\n")
    return str(folder / "rows.jsonl")


def jsonl_with_mark(folder: Path) -> str:
    (folder / "rows.jsonl").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines(50)).encode())
    return str(folder / "rows.jsonl")


def packed_jsonl(folder: Path) -> str:
    (folder / "rows.jsonl.gz").write_bytes(gzip.compress("\n".join(lines(60)).encode()))
    return str(folder / "rows.jsonl.gz")


def cut_jsonl(folder: Path) -> str:
    """What breaks off: the rows before, and one error for the rest."""
    whole = gzip.compress("\n".join(lines(600)).encode())
    (folder / "rows.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    return str(folder / "rows.jsonl.gz")


def texts(folder: Path) -> str:
    (folder / "rows.txt").write_text("\n".join(f"line {n}" if n % 9 else "" for n in range(80)))
    return str(folder / "rows.txt")


def csv(folder: Path) -> str:
    rows = [f'{n},"a text, {n}\nof two lines"' for n in range(60)]
    rows[11] = "11,too,many"
    (folder / "rows.csv").write_text("id,text\n" + "\n".join(rows) + "\n")
    return str(folder / "rows.csv")


def parquet(folder: Path) -> str:
    table = pa.table({"id": [f"p{n}" for n in range(100)], "text": [f"t {n}" for n in range(100)]})
    pq.write_table(table, folder / "rows.parquet", row_group_size=17)
    return str(folder / "rows.parquet")


def several(folder: Path) -> str:
    """One of them cannot be read at all, and one has none."""
    for name, count in (("a", 23), ("b", 0), ("d", 31)):
        rows = [json.dumps({"text": f"{name} {n}"}) for n in range(count)]
        (folder / f"{name}.jsonl").write_text("\n".join(rows))
    (folder / "c.jsonl").write_bytes(b"\xff\xfe{")
    return str(folder / "*.jsonl")


def pictures(folder: Path) -> str:
    for number in range(40):
        file = folder / f"day {number % 3}" / f"{number}.png"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"" if number == 9 else b"picture %d" % number)
    (folder / "notes.txt").write_text("none")
    return str(folder)


def listed(folder: Path) -> str:
    pictures(folder)
    names = [f"day {n % 3}/{n}.png" for n in range(30)]
    (folder / "list.lst").write_text("\n".join([*names, "gone.png"]))
    return str(folder / "list.lst")


def tars(folder: Path) -> str:
    for shard in range(3):
        with tarfile.open(folder / f"s-{shard}.tar", "w") as archive:
            for number in range(7):
                data = b"picture %d" % number
                info = tarfile.TarInfo(f"{number}.png")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return str(folder / "s-{0..2}.tar")


def told(rows: list[SourceRow | UnreadableRow]) -> list[object]:
    return [
        (row.id, row.path, row.values if isinstance(row, SourceRow) else row.reason) for row in rows
    ]


@pytest.mark.parametrize("first", [0, 3])
@pytest.mark.parametrize("rows", [1, 7, 1000])
@pytest.mark.parametrize(
    ("make", "task"),
    [
        *((make, EMBEDDING) for make in (jsonl, jsonl_with_mark, packed_jsonl, cut_jsonl, texts)),
        *((make, EMBEDDING) for make in (csv, parquet, several)),
        *((make, PICTURES) for make in (pictures, listed, tars)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_parts_one_after_another_are_the_whole(
    tmp_path: Path, make: Callable[[Path], str], task: Task, rows: int, first: int
) -> None:
    spec = make(tmp_path)
    whole = told(list(open_source(spec, task)))
    parts = [part.as_json() for part in open_source(spec, task).parts(rows, first)]
    found: list[object] = []
    for given in json.loads(json.dumps(parts)):
        part = Part.of(given)
        read = told(list(open_source(spec, task).part(part)))
        assert part.rows in (None, len(read))
        assert make in (tars, cut_jsonl, several) or len(read) <= (rows if found else first or rows)
        found += read
    assert found == whole
    assert len(whole) > 1


def test_lines_that_were_passed_over_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_source(jsonl(tmp_path), EMBEDDING)
    last = list(source.parts(10))[-1]
    assert last.place.start.byte > 0
    seen: list[bytes] = []
    from wherry.client.annotate.sources import jsonl as module

    def noted(line: bytes) -> object:
        seen.append(line)
        return json.loads(line)

    monkeypatch.setattr(module, "from_json", noted)
    looked_at = 20  # for the columns there are
    assert len(list(source.part(last))) + looked_at == len(seen)


def test_a_folder_that_has_changed_since_is_refused(tmp_path: Path) -> None:
    source = open_source(pictures(tmp_path), PICTURES)
    part = list(source.parts(10))[2]
    (tmp_path / "day 0" / "00.png").write_bytes(b"new")
    with pytest.raises(InvalidRequest, match="has changed"):
        list(source.part(part))


def test_a_part_is_no_longer_in_bytes_than_its_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wherry.client.annotate.sources.parts.MOST_BYTES", 500)
    parts = list(open_source(jsonl(tmp_path), EMBEDDING).parts(1000))
    assert len(parts) > 5
