"""Rows with their answers as Label Studio imports them: a task each, with one prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ..annotations.fits import has_answers, has_labels, medium
from ..base import Task, TaskOutput
from .results import mean_score, results_of


@dataclass(frozen=True, slots=True)
class AnsweredRow:
    """What of a row goes into its task."""

    index: int
    id: str
    #: Where Label Studio is to find the row's file.
    shown: str
    size: tuple[int, int] | None
    #: None where the answer is not at hand: people begin from nothing.
    output: TaskOutput | None


def import_task(task: Task, model_version: str, row: AnsweredRow) -> dict[str, Any]:
    """A row as a task to import. Raises ValueError for an answer that cannot be shown."""
    to_name = medium(task)
    document: dict[str, Any] = {"data": {to_name: row.shown, "wherry_id": row.id}}
    if row.output is None:
        return document
    found = list(results_of(row.output, row.size))
    says_one = has_labels(task) or has_answers(task)
    results = [
        {"id": f"{row.index}-{place}", "to_name": to_name, **result}
        for place, result in (found[:1] if says_one else found)
    ]
    prediction = {
        "model_version": model_version,
        "score": mean_score(results),
        "result": results,
    }
    return {**document, "predictions": [prediction]}


def shown_path(path: str, below: str, prefix: str) -> str:
    """Where Label Studio is to find a file: `prefix` and the path below the source, or its path."""
    if not prefix:
        return path
    # Keys of a bucket are taken as they stand.
    is_asked_for = prefix.startswith(("http://", "https://", "/"))
    between = "" if prefix.endswith(("/", "=")) else "/"
    return prefix + between + (quote(below) if is_asked_for else below)
