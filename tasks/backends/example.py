"""Rows to warm a model up with."""

from __future__ import annotations

import base64

from ..base import Task, TaskInput

#: A grey PNG of 8 x 8 pixels.
_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAAEElEQVR4nGNsYIAAJgaKGAAmCACQXTClHgAA"
    "AABJRU5ErkJggg=="
)


def example(task: Task) -> TaskInput:
    """One valid row of a task."""
    contents = {"image": _PNG, "text": "The quick brown fox jumps over the lazy dog."}
    return task.input.validated({spec.field: [contents[spec.content]] for spec in task.inputs})
