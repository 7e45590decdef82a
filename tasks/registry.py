"""Every task, by name. A row here and a file there is all that a task needs."""

from __future__ import annotations

import functools
import importlib

from .base import Task

_TASKS = {
    "embedding": "text.embedding",
    "image-classification": "vision.image_classification",
    "object-detection": "vision.object_detection",
}


def task_of(alias: str) -> Task:
    """The task that another system calls so; its own name counts first. Raises ValueError."""
    if alias in _TASKS:
        return get_task(alias)
    for task in map(get_task, _TASKS):
        known = task.aliases
        if alias in (*known.huggingface, *known.pixano, known.instill):
            return task
    raise ValueError(f"no task is called {alias!r}; there are {', '.join(task_names())}")


def task_names() -> tuple[str, ...]:
    """The names of all tasks, sorted."""
    return tuple(sorted(_TASKS))


@functools.cache
def get_task(name: str) -> Task:
    """The task of that name. Raises ValueError that lists the names there are."""
    if name not in _TASKS:
        raise ValueError(f"unknown task {name!r}; there are {', '.join(task_names())}")
    task: Task = importlib.import_module(f".{_TASKS[name]}", __package__).TASK
    return task
