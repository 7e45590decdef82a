"""What is told of a run beside its rows: its quality so far, and rows to look at first."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any

from pydantic_core import to_json

from ...jobs.run_pick import least_sure, picked_rows
from ...jobs.run_quality import NearRows, Quality
from ...jobs.run_records import Run, Shard
from ...jobs.run_rows import PlacedRow, Sheets
from ...jobs.stores import Store
from ...protocol import codec
from ...protocol.errors import WherryError
from ...tasks.base import Task, TaskOutput
from ...tasks.label_studio.import_tasks import AnsweredRow, import_task, shown_path
from ...tasks.registry import get_task

#: Pictures that are looked at while a run goes on: at its end all are, by a run worker.
_LOOKED_AT = 100_000

#: Seconds for which what looks alike stands, of a run that goes on; runs that it is kept of.
_STANDS_S, _KEPT = 20.0, 32

#: Key of a run -> when it was looked at, how many of its shards were done, what was found.
_near: OrderedDict[tuple[str, int], tuple[float, int, NearRows | None]] = OrderedDict()
_one_at_a_time = Lock()


def quality_of(store: Store, run: Run, shards: Sequence[Shard]) -> tuple[dict[str, Any], NearRows]:
    """What is told of finished shards, and the rows that it names. Call it in a thread."""
    quality, summary = Quality(store, run, shards), run.progress.summary or {}
    known = summary.get("near_duplicates")  # found at the end, among all
    near = quality.named(known) if known else _near_of(quality, run) or NearRows({}, {})
    compared = summary.get("compared")
    told = {**quality.counted(), "near_duplicates": near.told or None, "compared": compared}
    return told, near


def _near_of(quality: Quality, run: Run) -> NearRows | None:
    """What looks alike so far. It takes seconds to find, so it is kept for a while."""
    key, done = (run.spec.id, run.spec.created_at_ms), run.progress.shards_done
    with _one_at_a_time:
        known = _near.get(key)
        if known:
            at, counted, found = known
            if counted == done or (not run.state.terminal and time.monotonic() - at < _STANDS_S):
                return found
        found = quality.near(most=_LOOKED_AT)
        _near[key] = time.monotonic(), done, found
        _near.move_to_end(key)
        while len(_near) > _KEPT:
            _near.popitem(last=False)
        return found


def picked_lines(sheets: Sheets, count: int, *, by_label: bool) -> Iterator[bytes]:
    """The least sure rows, a line of JSON each."""
    for placed in picked_rows(sheets, least_sure(sheets, count, by_label=by_label)):
        row = {name: value for name, value in placed.row.items() if name != "picture"}
        yield to_json(row, inf_nan_mode="null") + b"\n"


def picked_tasks(
    sheets: Sheets, run: Run, count: int, prefix: str, *, by_label: bool
) -> Iterator[bytes]:
    """The least sure rows as a JSON list of tasks for Label Studio."""
    assert run.plan is not None
    task = get_task(run.plan.task)
    version = ":".join(filter(None, (run.spec.model, run.plan.version)))
    places = least_sure(sheets, count, by_label=by_label)
    mark = b"[\n"
    for placed in picked_rows(sheets, places):
        yield mark + _task(task, version, placed, prefix)
        mark = b",\n"
    yield b"\n]\n" if places else b"[]\n"


def _task(task: Task, version: str, placed: PlacedRow, prefix: str) -> bytes:
    row = placed.row
    size = tuple(row["size"]) if row["size"] else None
    frame = row.get("frame")
    below = str(frame["file"] if frame else row["id"]).lstrip("/")
    shown = shown_path(row["path"] or row["id"], below, prefix)
    answered = AnsweredRow(row["index"], row["id"], shown, size, _output(task, row["answer"]))
    try:
        document = import_task(task, version, answered)
    except ValueError:  # what cannot be drawn is begun from nothing
        document = import_task(task, version, replace(answered, output=None))
    return to_json(document, inf_nan_mode="null")


def _output(task: Task, answer: Any) -> TaskOutput | None:
    """A row's answer; None where the sheet has it not."""
    if not answer:
        return None
    try:
        response = codec.decode_response(to_json(answer))
        return task.output.from_inference_response(response)
    except WherryError:
        return None
