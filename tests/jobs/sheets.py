"""Sheets for tests, read from a store in memory as run workers put them there."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from wherry.jobs.run_blobs import sheet_key
from wherry.jobs.run_records import Run, RunPlan, RunProgress, RunState, Shard
from wherry.jobs.run_rows import Sheets
from wherry.jobs.run_spec import RunSpec
from wherry.jobs.stores import FolderStore

Row = dict[str, Any]

#: Rows of a block.
BLOCK = 4


def row(index: int, *labels: tuple[str, float], row_id: str = "") -> Row:
    """A row that has its answer."""
    return {
        "index": index,
        "id": row_id or f"r{index}",
        "path": "",
        "size": None,
        "frame": None,
        "text": "",
        "picture": None,
        "state": "answered",
        "error": None,
        "warning": "",
        "labels": [{"label": name, "score": score} for name, score in labels],
        "score": max((score for _, score in labels), default=None),
        "answer": None,
    }


def failed(index: int) -> Row:
    """A row that has none."""
    error = {"error_type": "invalid_row", "message": "no"}
    return {**row(index), "state": "failed", "error": error}


def sheets(folder: Path, run_id: str, *shards: list[Row]) -> Sheets:
    """The sheets of a run with these rows."""
    store, records = FolderStore(folder), list[Shard]()
    for number, rows in enumerate(shards):
        body, index = b"", list[Row]()
        for at in range(0, len(rows), BLOCK):
            block = rows[at : at + BLOCK]
            packed = gzip.compress(b"\n".join(map(to_json, block)))
            index.append(_block(block, len(body), len(packed)))
            body += packed
        store.put(sheet_key(run_id, number, "s"), body)
        store.put(sheet_key(run_id, number, "s") + ".index", to_json(index))
        first = sum(len(before) for before in shards[:number])
        records.append(Shard(number=number, state="done", sheet="s", rows=len(rows), first=first))
    return Sheets(store, _run(run_id), records)


def _block(rows: list[Row], offset: int, length: int) -> Row:
    scores = [each["score"] for each in rows if each["score"] is not None]
    labels: dict[str, int] = {}
    for each in rows:
        for found in each["labels"]:
            labels[found["label"]] = labels.get(found["label"], 0) + 1
    return {
        "first": rows[0]["index"],
        "rows": len(rows),
        "offset": offset,
        "length": length,
        "failed": sum(each["state"] == "failed" for each in rows),
        "labels": labels,
        "more": False,
        "min_score": min(scores, default=None),
        "max_score": max(scores, default=None),
    }


def _run(run_id: str) -> Run:
    spec = RunSpec(id=run_id, source="s", model="m", created_at_ms=1)
    plan = RunPlan(version="1", task="image-classification", format="jsonl", is_folder=False)
    return Run(spec=spec, state=RunState.RUNNING, plan=plan, progress=RunProgress())
