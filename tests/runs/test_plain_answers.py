"""What a shard writes of its ledger: the same bytes, made of models or of plain values."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import to_json

from wherry.client.annotate import stored_answers
from wherry.client.annotate.formats import formats_for, writer_of
from wherry.client.annotate.formats.text import clean
from wherry.client.annotate.ledger import KEY_BYTES, Ledger, LedgerRow
from wherry.client.annotate.pieces import write_piece
from wherry.client.annotate.rows import Origin, SourceRow
from wherry.client.annotate.stored_answers import StoredAnswers, pack_answers
from wherry.protocol import codec, v2
from wherry.protocol.errors import WherryError
from wherry.protocol.parameters import warnings
from wherry.runs.sheet import Sheet, SheetRows
from wherry.tasks.base import Task, TaskOutput
from wherry.tasks.plain_items import form_of
from wherry.tasks.registry import get_task, task_names

#: Place of the shard's first row, and what a text of a row is.
FIRST = 7
TEXTS = ("a text", "", "two\nlines \u2028 \x85", "é" * 600, "half \ud800 a pair", '"\\')


def key(number: int) -> bytes:
    return number.to_bytes(KEY_BYTES, "big")


def odd(output: TaskOutput) -> list[TaskOutput]:
    """Answers of one row that are harder to write than an example: none, many, no numbers."""
    form = form_of(type(output))
    if form is None:
        return [output]
    field = output.ROWS[0]
    [items] = output.model_dump()[field]
    scores = (math.nan, math.inf, 0.0, -0.0, 1.0, 1e-7, 0.1 + 0.2, 123456.789, -3.5)
    told = []
    for score in scores:
        item = dict(items[0])
        for name, kind, inner in zip(form.names, form.kinds, form.inner, strict=True):
            if kind is str:
                item[name] = 'a "label"\n\u2028é' if score else ""
            elif inner:
                item[name] = dict.fromkeys(inner, score)
            else:
                item[name] = score if kind is float else 3
        told.append(item)
    lists: list[list[Any]] = [[], told, told[:2], items * 60]
    return [output, *(type(output).model_validate({field: [each]}) for each in lists)]


def fill(ledger: Ledger, task: Task, rows: SheetRows) -> int:
    """Rows of one job each, rows of a job together, with warnings; failed, unread, equal ones."""
    example = task.example.output.rows()[0]
    outputs = odd(example)
    jobs: list[tuple[v2.InferenceResponse, int]] = [(out.response("m"), 1) for out in outputs]
    together = task.output.join(outputs).response("m")
    together.parameters = {**together.parameters, **warnings([], {1: "cut é"}, len(outputs))}
    jobs.append((together, len(outputs)))
    number = 0
    for response, count in jobs:
        keys = [key(number + at) for at in range(count)]
        for at, each in enumerate(keys):
            place(ledger, task, rows, number + at, each)
        ledger.keep(pack_answers(task, response, count), keys)
        number += count
    place(ledger, task, rows, number, key(number - 1))
    ledger.fail(key(number + 1), 'no "good" é', "invalid_row")
    place(ledger, task, rows, number + 1, key(number + 1))
    ledger.fail(key(number + 2), "broken", "invalid_request")
    ledger.place(number + 2, f"r{number}", "", key(number + 2), None, unread=True)
    place(ledger, task, rows, number + 3, key(number))
    ledger.keep(pack_answers(task, example.response("m"), 1), [key(number)])
    return number + 4


def place(ledger: Ledger, task: Task, rows: SheetRows, number: int, its_key: bytes) -> None:
    size = (8, 9) if number % 2 else None
    ledger.place(number, f'r"{number}" é', f"/p/{number}\n.jpg" * (number % 3), its_key, size)
    values = {
        spec.field: TEXTS[number % len(TEXTS)] for spec in task.inputs if spec.content == "text"
    }
    rows.offer(number, SourceRow(f"r{number}", values), its_key)


def written(task: Task, folder: Path, name: str, *, texts: list[str]) -> dict[str, bytes]:
    """Everything that a shard makes of its ledger, and the sheet as it is to be."""
    folder.mkdir()
    origin = Origin(task=task, model="m", version="1", parameters={}, source="s")
    with Ledger(folder / "ledger", scratch=True) as ledger:
        ledger.begin(reuse=True)
        with SheetRows(ledger, task, 1, folder) as rows:
            count = fill(ledger, task, rows)
            texts += [TEXTS[n % len(TEXTS)] for n in range(count)]
            sheet = Sheet(origin, rows, FIRST)
            piece, found = write_piece(
                ledger, origin, writer_of(name, task), folder, FIRST, sheet.add
            )
            alone = Sheet(origin, rows, FIRST)
            assert alone.add_all(ledger).rows == found.rows == count
            assert (alone.body, alone.index) == (sheet.body, sheet.index)
            expected = b"\n".join(line(task, row, ledger) for row in ledger.placed(FIRST))
    files = {name: path.read_bytes() for name, path in piece.files}
    return {**files, "sheet": gzip.decompress(sheet.body), "index": sheet.index, "line": expected}


def line(task: Task, placed: LedgerRow, ledger: Ledger) -> bytes:
    """A row's line of the sheet but for its text, made of models in one go."""
    told: dict[str, Any] = {
        "index": placed.position,
        "id": placed.id,
        "path": placed.path,
        "size": placed.size,
        "frame": None,
    }
    if placed.answer is None:
        error = {"error_type": placed.error_type, "message": placed.error}
        told |= {"state": "failed", "error": error, "warning": "", "labels": [], "score": None}
        return to_json(told | {"answer": None})
    output = StoredAnswers(ledger, task).read(placed.answer)
    lists = [rows[0] for rows in output.__dict__.values() if type(rows) is list and rows]
    found = [
        item
        for items in lists
        for item in (items if type(items) is list else ())
        if hasattr(item, "model_fields_set")
    ]
    scores = [getattr(item, "score", math.nan) for item in found]
    scores = [score if type(score) is float else math.nan for score in scores]
    names = [getattr(item, "label", "") or getattr(item, "entity", "") for item in found]
    named = [(name, score) for name, score in zip(names, scores, strict=True) if name]
    told |= {
        "state": "answered",
        "error": None,
        "warning": output.warning,
        "labels": [{"label": clean(name), "score": score} for name, score in named[:50]],
        "score": max((score for score in scores if not math.isnan(score)), default=None),
    }
    return to_json(told | {"answer": answer(task, output)}, inf_nan_mode="null")


def answer(task: Task, output: TaskOutput) -> Any:
    response = output.to_inference_response("m")
    try:
        if not any(spec.is_file for spec in task.outputs):
            return json.loads(Sheet.plain(response))
        return json.loads(codec.encode_response(response)[0])
    except (ValueError, WherryError):
        return None


@pytest.mark.parametrize("task_name", task_names())
def test_answers_are_written_alike_with_models_and_without(
    task_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = get_task(task_name)
    for name in {"jsonl", "csv"}.intersection(formats_for(task)):
        texts: list[str] = []
        plain = written(task, tmp_path / name, name, texts=texts)
        with monkeypatch.context() as patch:
            patch.setattr(stored_answers, "form_of", lambda _: None)
            modelled = written(task, tmp_path / f"{name}-modelled", name, texts=[])
        assert plain == modelled
        told = [json.loads(each) for each in plain["sheet"].split(b"\n")]
        expected = [json.loads(each) for each in plain["line"].split(b"\n")]
        for each, as_it_is in zip(told, expected, strict=True):
            assert {n: v for n, v in each.items() if n not in ("text", "picture")} == as_it_is
        assert list(told[0]) == [*list(expected[0])[:5], "text", "picture", *list(expected[0])[5:]]
        if any(spec.content == "text" for spec in task.inputs):
            unread = len(texts) - 2
            assert [each["text"] for each in told] == [
                "" if at == unread else clean(text[:500]) for at, text in enumerate(texts)
            ]
