"""Runs for tests, put into Redis and the store as run workers put them there."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from wherry.jobs import JobsSettings, Queue
from wherry.jobs.run_blobs import output_key, pictures_key, put_output, sheet_key
from wherry.jobs.run_records import RunExport, RunOutput, RunPlan, RunState, Shard, Step
from wherry.jobs.run_steps import (
    end_run,
    finish_export,
    finish_plan,
    finish_shard,
    save_step,
    take_step,
)
from wherry.jobs.stores import Store, open_store

Row = dict[str, Any]

#: Rows of a block of a sheet, here: small, so that a test has several.
BLOCK = 4


def answered(index: int, *labels: tuple[str, float], **more: Any) -> Row:
    """A row of a sheet that has its answer."""
    return {
        "index": index,
        "id": f"{index}.png",
        "path": f"/data/{index}.png",
        "size": [640, 480],
        "state": "answered",
        "error": None,
        "warning": "",
        "labels": [{"label": name, "score": score} for name, score in labels],
        "score": labels[0][1] if labels else None,
        "answer": {"outputs": []},
        "picture": None,
        "frame": None,
        "text": "",
        **more,
    }


def failed(index: int) -> Row:
    """A row of a sheet that has none."""
    error = {"error_type": "invalid_row", "message": "it is no picture"}
    return answered(index, state="failed", error=error, answer=None)


@dataclass
class RunWorker:
    """A run worker that is played by the test."""

    queue: Queue
    jobs: JobsSettings

    def __post_init__(self) -> None:
        self.store: Store = open_store(self.jobs)

    def step(self, kind: str) -> Step:
        """Take the step that is next, which is to be this one."""
        step = self.queue.run(take_step("tester", 60, self.jobs))
        assert step is not None, f"no step, expected {kind}"
        assert step.name.startswith(kind), step.name
        return step

    def plan(self, *rows: int, task: str = "image-classification", form: str = "jsonl") -> None:
        """Cut the next run into shards of so many rows."""
        plan = RunPlan(version="1", task=task, format=form, is_folder=False)
        shards, first = [], 0
        for number, count in enumerate(rows):
            shards.append(Shard(number=number, planned=count, first=first))
            first += count
        assert self.queue.run(finish_plan(self.step("plan"), plan, shards, self.jobs))

    def shard(self, rows: list[Row], pictures: bytes = b"") -> None:
        """Answer the next shard."""
        step = self.step("shard/")
        assert step.shard is not None
        run_id, number = step.run_id, step.shard.number
        sheet, index = self._sheet(rows)
        self.store.put(sheet_key(run_id, number, "s1"), sheet)
        self.store.put(sheet_key(run_id, number, "s1") + ".index", to_json(index))
        if pictures:
            self.store.put(pictures_key(run_id, number, "s1"), pictures)
        good = sum(row["state"] == "answered" for row in rows)
        shard = step.shard.model_copy(
            update={
                "rows": len(rows),
                "sheet": "s1",
                "has_pictures": bool(pictures),
                "read": len(rows),
                "done": good,
                "failed": len(rows) - good,
            }
        )
        call = finish_shard(
            step,
            shard,
            self.jobs,
            segment="",
            labels=_labels(rows),
            scores=[0] * 20,
            error_types={},
        )
        assert self.queue.run(call)

    def _sheet(self, rows: list[Row]) -> tuple[bytes, list[dict[str, Any]]]:
        sheet, index = b"", []
        for at in range(0, len(rows), BLOCK):
            block = rows[at : at + BLOCK]
            packed = gzip.compress(b"".join(to_json(row) + b"\n" for row in block))
            scores = [row["score"] for row in block if row["score"] is not None]
            index.append(
                {
                    "first": block[0]["index"],
                    "rows": len(block),
                    "offset": len(sheet),
                    "length": len(packed),
                    "failed": sum(row["state"] == "failed" for row in block),
                    "labels": _labels(block),
                    "more": False,
                    "min_score": min(scores, default=None),
                    "max_score": max(scores, default=None),
                }
            )
            sheet += packed
        return sheet, index

    def merge(self, files: dict[str, bytes], place: str = "") -> None:
        """End the run with these files in the store, or at a place elsewhere."""
        step = self.step("merge")
        output = put_output(self.store, output_key(step.run_id, "o1"), _opened(files))
        if place:
            output = RunOutput(place=place, files=output.files)
        assert self.queue.run(end_run(step, RunState.SUCCEEDED, self.jobs, output=output))

    def export(self, files: dict[str, bytes]) -> None:
        """Make the export that was asked for."""
        step = self.step("export/")
        key = output_key(step.run_id, "e1", step.name.partition("/")[2])
        output = put_output(self.store, key, _opened(files))
        made = RunExport(state="done", output=output)
        assert self.queue.run(finish_export(step, made, self.jobs))

    def save(self, step: Step) -> object:
        """What the run wants of a step."""
        return self.queue.run(save_step(step, 60, self.jobs))


def _opened(files: dict[str, bytes]) -> Iterable[tuple[str, io.BytesIO]]:
    return ((name, io.BytesIO(data)) for name, data in files.items())


def _labels(rows: Iterable[Row]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in rows:
        for found in row["labels"]:
            counts[found["label"]] = counts.get(found["label"], 0) + 1
    return counts
