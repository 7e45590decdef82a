"""Everything that a task declares and what can do it, as plain data: for `wherry tasks --json`."""

from __future__ import annotations

from typing import Any

from ..tasks import card as declared
from ..tasks.backends import backend_table
from ..tasks.base import Task


def card(task: Task) -> dict[str, Any]:
    """A task as JSON."""
    return {**declared.card(task), "backends": backends_of(task)}


def backends_of(task: Task) -> list[str]:
    """The backends that can do a task, in the order of the table: but for `endpoint`, by which
    another server does any.
    """
    table = backend_table()
    return [name for name in table if task.name in table[name] and name != "endpoint"]
