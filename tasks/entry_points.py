"""Tasks and backends that other installed packages bring; docs/adding-a-task.md shows one."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

#: Group -> what an entry point there is called, and what it leads to.
#: wherry.tasks: the task's name -> module:TASK. wherry.backends: backend.task -> module:Class.
#: wherry.onnx_adapters: the dialect -> module:Class.
#: wherry.console: the task -> the module in whose folder its answers' drawing lies.
Group = Literal["wherry.tasks", "wherry.backends", "wherry.onnx_adapters", "wherry.console"]


@functools.cache  # reads the files of every installed package
def installed(group: Group) -> Mapping[str, EntryPoint]:
    """The entry points of a group by name. Nothing is imported yet."""
    return {point.name: point for point in entry_points(group=group)}


def load(point: EntryPoint) -> Any:
    """Import what an entry point leads to. Raises ValueError that names the package."""
    try:
        return point.load()
    except Exception as error:  # somebody else's code may raise anything
        package = point.dist.name if point.dist else "?"
        raise ValueError(
            f"{point.group} {point.name!r} of package {package!r} cannot be loaded: "
            f"{type(error).__name__}: {error}"
        ) from error
