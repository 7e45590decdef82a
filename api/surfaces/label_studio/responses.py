"""Answers as Label Studio's predictions, under the names of the project's controls."""

from __future__ import annotations

import functools
from typing import Any

from ....protocol.errors import InvalidRequest, WherryError
from ....tasks.base import Task, TaskOutput
from ....tasks.catalog import ModelDeclaration
from ....tasks.label_studio.results import Size, mean_score, results_of
from .config import CONTROL_OF, Config
from .requests import content_of


@functools.cache
def kinds_of(task: Task) -> frozenset[str]:
    """The types of results that a task's answers make; none where Label Studio cannot show them."""
    rows = task.example.output.rows()
    found = {result["type"] for row in rows for _, result in results_of(row, (8, 8))}
    return frozenset(found | {"polygonlabels"} if "brushlabels" in found else found)


def check(task: Task, config: Config) -> None:
    """Raise InvalidRequest for a task or a project that has no way to show predictions.

    A project without any controls is a new one: it may get them later.
    """
    kinds = kinds_of(task)
    tags = ", ".join(sorted(CONTROL_OF[kind] for kind in kinds))
    if not tags:
        raise InvalidRequest(f"Label Studio has no way to show what {task.name} answers")
    content = content_of(task)
    if config.controls and not any(config.control(kind, content) for kind in kinds):
        raise InvalidRequest(
            f"label_config: nothing there shows what {task.name} answers: add one of {tags}"
        )


def version_of(model: ModelDeclaration) -> str:
    """What predictions are told apart by."""
    return f"{model.name}:{model.version}"


def prediction(
    model: ModelDeclaration, config: Config, answer: TaskOutput, size: Size | None
) -> dict[str, Any]:
    """A row's prediction. Raises InvalidRequest."""
    content = content_of(model.definition)
    brush = config.control("brushlabels", content)
    try:
        placed = list(results_of(answer, size, polygons=brush is None))
    except ValueError as error:
        raise InvalidRequest(str(error)) from None
    named = [{"id": f"wherry-{place}", **result} for place, result in placed]
    results = config.fit(named, content)
    return {"model_version": version_of(model), "score": mean_score(results), "result": results}


def failure(model: ModelDeclaration, error: WherryError) -> dict[str, Any]:
    """The prediction of a row that has no answer: nothing found, and why."""
    told = {"error": error.message, "error_type": error.code}
    return {"model_version": version_of(model), "score": 0.0, "result": [], **told}
