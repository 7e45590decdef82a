"""A shard's sheet: every row in its block, found by the index."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from wherry.client.annotate.ledger import KEY_BYTES, Ledger
from wherry.client.annotate.rows import Origin, SourceRow
from wherry.client.annotate.stored_answers import pack_answers
from wherry.protocol import codec
from wherry.runs.sheet import Sheet, SheetRows
from wherry.tasks.registry import get_task, task_names

TASK = get_task("image-classification")
ORIGIN = Origin(task=TASK, model="m", version="1", parameters={}, source="s")

#: Place of the shard's first row.
FIRST = 1000


def key(number: int) -> bytes:
    return number.to_bytes(KEY_BYTES, "big")


def picture(number: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (600, 300), (number % 256, 0, 7)).save(buffer, "JPEG")
    return buffer.getvalue()


def made(tmp_path: Path, count: int, shards: int = 1) -> tuple[Sheet, SheetRows]:
    """Rows of which each seventh failed."""
    example = TASK.example.output.rows()[0]
    with (
        Ledger(tmp_path / "ledger") as ledger,
        SheetRows(ledger, TASK, shards, tmp_path) as rows,
    ):
        ledger.begin(reuse=True)
        for number in range(count):
            ledger.place(number, f"r{number}", f"/p/{number}.jpg", key(number), (600, 300))
            row = SourceRow(f"r{number}", {"images": picture(number)})
            rows.offer(number, row, key(number))
            if number % 7 == 3:
                ledger.fail(key(number), "no good", "invalid_row")
            else:
                ledger.keep(pack_answers(TASK, example.response("m"), 1), [key(number)])
        sheet = Sheet(ORIGIN, rows, FIRST)
        findings = sheet.add_all(ledger)
    assert findings.rows == count
    return sheet, rows


def lines(sheet: Sheet, block: dict[str, Any]) -> list[dict[str, Any]]:
    packed = sheet.body[block["offset"] : block["offset"] + block["length"]]
    return [json.loads(line) for line in gzip.decompress(packed).splitlines()]


def test_every_row_is_in_its_block(tmp_path: Path) -> None:
    sheet, _ = made(tmp_path, 450)
    body, index = sheet.body, json.loads(sheet.index)
    assert [(block["first"], block["rows"]) for block in index] == [
        (FIRST, 200),
        (FIRST + 200, 200),
        (FIRST + 400, 50),
    ]
    assert sum(block["length"] for block in index) == len(body)
    rows = [row for block in index for row in lines(sheet, block)]
    assert [row["index"] for row in rows] == list(range(FIRST, FIRST + 450))
    for block in index:
        inside = lines(sheet, block)
        assert block["failed"] == sum(row["state"] == "failed" for row in inside)
        tops = [row["score"] for row in inside if row["score"] is not None]
        assert (block["min_score"], block["max_score"]) == (min(tops), max(tops))
        labels = [label["label"] for row in inside for label in row["labels"]]
        assert block["labels"] == {label: labels.count(label) for label in labels}
    failed, answered = rows[3], rows[4]
    assert failed["error"] == {"error_type": "invalid_row", "message": "no good"}
    assert failed["answer"] is None
    assert {tensor["name"] for tensor in answered["answer"]["outputs"]} == {"label", "score"}
    assert answered["size"] == [600, 300]


def test_pictures_are_small_and_found_by_their_rows(tmp_path: Path) -> None:
    sheet, seen = made(tmp_path, 5)
    [block] = json.loads(sheet.index) if sheet.body else []
    for row in lines(sheet, block):
        offset, length = row["picture"]
        with Image.open(io.BytesIO(seen.pictures[offset : offset + length])) as image:
            assert image.size == (256, 128)


def test_pictures_of_a_run_of_many_shards_have_little_room_each(tmp_path: Path) -> None:
    _, seen = made(tmp_path, 40, shards=64 * 1024)
    assert 0 < len(seen.placed) < 40
    assert len(seen.pictures) <= 4096


PLAIN = [name for name in task_names() if not any(s.is_file for s in get_task(name).outputs)]


@pytest.mark.parametrize("name", PLAIN)
def test_an_answer_is_told_as_the_api_tells_it(name: str) -> None:
    for row in get_task(name).example.output.rows():
        response = row.to_inference_response("m")
        told, expected = (
            json.loads(body)["outputs"]
            for body in (Sheet.plain(response), codec.encode_response(response)[0])
        )
        assert [flat(tensor) for tensor in told] == [flat(tensor) for tensor in expected]


def flat(tensor: dict[str, Any]) -> Any:
    """A tensor whose data is one list, as it may be told too."""
    data = tensor["data"]
    while data and isinstance(data[0], list):
        data = [value for part in data for value in part]
    return {**tensor, "data": data}
