"""Answers as Label Studio's predictions, under the names of the project's controls."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any

from ....protocol.errors import InvalidRequest, WherryError
from ....tasks.base import Task, TaskOutput
from ....tasks.catalog import ModelDeclaration
from ....tasks.label_studio.film_results import rectangles_of
from ....tasks.label_studio.results import (
    PlacedResult,
    Result,
    Size,
    mean_score,
    results_of,
    speech_of,
)
from .config import CONTROL_OF, Config, ObjectTag
from .requests import TaskRow, content_of


@functools.cache
def kinds_of(task: Task) -> frozenset[str]:
    """The types of results that a task's answers make; none where Label Studio cannot show them."""
    rows = task.example.output.rows()
    found = {result["type"] for row in rows for _, result in _shown(row, (8, 8))}
    return frozenset(found | {"polygonlabels"} if "brushlabels" in found else found)


def _shown(
    output: TaskOutput, size: Size | None, *, polygons: bool = False
) -> Iterator[PlacedResult]:
    """A row's results: rectangles through a film where objects are followed in it."""
    if "frame_indexes" in type(output).model_fields:
        yield from map(PlacedResult._make, enumerate(rectangles_of(output)))
        return
    yield from results_of(output, size, polygons=polygons)


def check(task: Task, config: Config) -> None:
    """Raise InvalidRequest for a task or a project that has no way to show predictions.

    A project without any controls is a new one: it may get them later.
    """
    kinds = kinds_of(task)
    tags = ", ".join(sorted(CONTROL_OF[kind] for kind in kinds))
    if not tags:
        raise InvalidRequest(f"Label Studio has no way to show what {task.name} answers")
    if config.controls and not config.annotated(kinds, content_of(task)):
        raise InvalidRequest(
            f"label_config: nothing there shows what {task.name} answers: add one of {tags}"
        )


def version_of(model: ModelDeclaration) -> str:
    """What predictions are told apart by."""
    return f"{model.name}:{model.version}"


def prediction(
    model: ModelDeclaration, config: Config, rows: Sequence[tuple[TaskRow, TaskOutput]]
) -> dict[str, Any]:
    """A task's prediction, of the answers to all its rows. Raises InvalidRequest."""
    results = [
        result
        for number, (row, answer) in enumerate(rows)
        for result in _results(config, row, answer, f"wherry-{number}-" if number else "wherry-")
    ]
    return {"model_version": version_of(model), "score": mean_score(results), "result": results}


def _results(config: Config, row: TaskRow, answer: TaskOutput, prefix: str) -> list[Result]:
    """A row's results. Raises InvalidRequest."""
    shown = row.shown
    if shown is None:
        return []
    brush = config.control("brushlabels", shown)
    try:
        if config.times_speech(shown):
            placed = list(speech_of(answer, _speech_label(config, shown)))
        else:
            placed = list(_shown(answer, row.size, polygons=brush is None))
    except ValueError as error:
        raise InvalidRequest(str(error)) from None
    named = [
        {"id": f"{prefix}{place}", **_said(result, place, row, config)} for place, result in placed
    ]
    page = {} if row.item is None else {"item_index": row.item}
    return [{**result, **page} for result in config.fit(named, shown)]


def _said(result: Result, place: int, row: TaskRow, config: Config) -> Result:
    """A result under the label that its prompt has, or, where that has none, the control's only."""
    kind = result["type"]
    if not row.labels or row.shown is None or kind not in result["value"]:
        return result
    control = config.control(kind, row.shown)
    told = row.labels[place] if place < len(row.labels) else ""
    only = set(control.labels.values()) if control else set()
    label = told or (next(iter(only)) if len(only) == 1 else "")
    return {**result, "value": {**result["value"], kind: [label]}} if label else result


def _speech_label(config: Config, shown: ObjectTag) -> str:
    """What a stretch of speech is called: `speech` where the project has it, else its first."""
    control = config.control("labels", shown)
    labels = control.labels if control else {}
    return labels.get("speech") or next(iter(labels.values()), "")


def failure(model: ModelDeclaration, error: WherryError) -> dict[str, Any]:
    """The prediction of a row that has no answer: nothing found, and why."""
    told = {"error": error.message, "error_type": error.code}
    return {"model_version": version_of(model), "score": 0.0, "result": [], **told}
