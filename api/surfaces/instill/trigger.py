"""A trigger: entries in, jobs of as many rows as agree, entries out in the same order."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pydantic_core import to_json

from ....protocol.errors import InvalidRequest, PayloadTooLarge, RowError, WherryError
from ....tasks.base import Task, TaskInput, TaskOutput
from ...egress.named_files import NamedFiles
from .forms.form import EntryRequest, Form, Json, Style, TriggerEntry
from .forms.pictures import TEXT_TO_IMAGE
from .forms.segments import SEGMENTATION
from .forms.texts import CHAT, COMPLETION, CUSTOM, IMAGE_CHAT
from .forms.vectors import EMBEDDING, IMAGE_EMBEDDING, MULTIMODAL_EMBEDDING
from .forms.vision import CLASSIFICATION, DETECTION, KEYPOINT, OCR

#: Our task -> its form. What Instill calls it is the task's own alias.
FORMS: dict[str, Form] = {
    "chat": CHAT,
    "custom": CUSTOM,
    "embedding": EMBEDDING,
    "image-classification": CLASSIFICATION,
    "image-feature-extraction": IMAGE_EMBEDDING,
    "image-segmentation": SEGMENTATION,
    "image-text-to-text": IMAGE_CHAT,
    "keypoint-detection": KEYPOINT,
    "multimodal-embedding": MULTIMODAL_EMBEDDING,
    "object-detection": DETECTION,
    "optical-character-recognition": OCR,
    "text-generation": COMPLETION,
    "text-to-image": TEXT_TO_IMAGE,
    "text2text-generation": COMPLETION,
}

#: Jobs of one trigger, at most: an operation's name has their ids, and has to fit into a path.
MOST_JOBS = 64

#: How the intake and the workers tell the row of a job that has several.
_ROW = re.compile(r"row (\d+):? ")


@dataclass(frozen=True, slots=True)
class Layout:
    """Which job answers which row of which entry."""

    #: The job of each row, in the rows' order; within a job, rows keep theirs.
    job_of_row: Sequence[int]
    rows_of_entry: Sequence[int]
    dimensions: Sequence[int | None]  # an entry's

    def in_order(self, answers: Sequence[TaskOutput]) -> list[list[TaskOutput]]:
        """The rows' answers, a list an entry, from one answer a job."""
        left = [iter(answer.rows()) for answer in answers]
        rows = iter([next(left[job]) for job in self.job_of_row])
        return [list(islice(rows, count)) for count in self.rows_of_entry]

    def blame(self, job: int, error: WherryError) -> WherryError:
        """A job's error with the entry that is at fault, where one is."""
        if not isinstance(error, InvalidRequest | RowError):
            return error
        owners = [entry for entry, count in enumerate(self.rows_of_entry) for _ in range(count)]
        mine = [owner for owner, of in zip(owners, self.job_of_row, strict=True) if of == job]
        told = _ROW.match(error.message)
        row = int(told[1]) if told else 0
        if row >= len(mine) or (not told and len(set(mine)) > 1):
            return error
        return type(error)(f"taskInputs[{mine[row]}]: {_ROW.sub('', error.message, 1)}")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a trigger comes to: inputs of a job each, and how their answers belong together."""

    jobs: Sequence[TaskInput]
    layout: Layout


def read(document: Json, task: Task, max_rows: int, files: NamedFiles) -> Plan:
    """The jobs of a trigger. Raises InvalidRequest that names the entry and field."""
    entries = document.get("taskInputs", document.get("task_inputs"))
    if not isinstance(entries, list) or not entries:
        raise InvalidRequest("taskInputs: expected a list of {data, parameter}, one or more")
    if len(entries) > max_rows:
        raise PayloadTooLarge(f"taskInputs: {len(entries)}; send {max_rows} at most")
    asked = [_entry_request(entry, index, task, files) for index, entry in enumerate(entries)]
    return _plan(asked, max_rows)


def _entry_request(given: object, index: int, task: Task, files: NamedFiles) -> EntryRequest:
    where = f"taskInputs[{index}]"
    if not isinstance(given, dict):
        raise InvalidRequest(f"{where}: expected an object with data")
    data, parameter = given.get("data"), given.get("parameter")
    if not isinstance(data, dict):
        raise InvalidRequest(f"{where}.data: expected an object")
    if not isinstance(parameter, dict | None):
        raise InvalidRequest(f"{where}.parameter: expected an object, or none")
    return FORMS[task.name].read(TriggerEntry(where, data, parameter or {}, task, files))


def _plan(asked: Sequence[EntryRequest], max_rows: int) -> Plan:
    """Rows whose fields and parameters agree share a job, up to as many as a job may have."""
    jobs: list[list[TaskInput]] = []
    open_job: dict[bytes, int] = {}
    job_of_row = []
    for row in (row for entry in asked for row in entry.rows):
        # Rows of several kinds, images and texts, have different fields.
        key = to_json([row.model_dump(exclude=set(row.ROWS)), _given(row)])
        job = open_job.get(key)
        if job is None or len(jobs[job]) >= max_rows:
            job = open_job[key] = len(jobs)
            jobs.append([])
        jobs[job].append(row)
        job_of_row.append(job)
    if len(jobs) > MOST_JOBS:
        raise PayloadTooLarge(
            f"taskInputs: {len(jobs)} jobs, one for each set of parameters and each answer of n; "
            f"a trigger may come to {MOST_JOBS}"
        )
    layout = Layout(
        job_of_row,
        [len(entry.rows) for entry in asked],
        [entry.dimensions for entry in asked],
    )
    return Plan([_joined(rows) for rows in jobs], layout)


def _joined(rows: Sequence[TaskInput]) -> TaskInput:
    """One input of rows that agree in all else."""
    first = rows[0]
    return first.model_copy(
        update={
            field: [value for row in rows for value in getattr(row, field)]
            for field in _given(first)
        }
    )


def _given(row: TaskInput) -> list[str]:
    return [field for field in row.ROWS if getattr(row, field) is not None]


def written(
    task: Task, layout: Layout, answers: Sequence[TaskOutput], box_key: str
) -> dict[str, Any]:
    """A trigger's answer, from one answer a job. Raises InvalidRequest."""
    form, entries = FORMS[task.name], layout.in_order(answers)
    name = form.task(task, [answer for entry in entries for answer in entry])
    created = int(time.time())
    outputs = []
    for index, (rows, dimensions) in enumerate(zip(entries, layout.dimensions, strict=True)):
        try:
            outputs.append(form.entry(rows, Style(name, created, box_key, dimensions)))
        except InvalidRequest as error:
            raise type(error)(f"taskInputs[{index}].{error.message}") from None
    return {"task": name, "taskOutputs": outputs}
