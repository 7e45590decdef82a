"""The dialects of ONNX graphs and what each takes, read from their source."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

from ...protocol.nearest import meant
from .. import entry_points
from ..catalog import ModelDeclaration
from .backend_class import BackendClass
from .fault import Fault

_TABLE = Path(__file__).parents[1] / "backends" / "onnx" / "dialects" / "__init__.py"

#: What every adapter is given and no declaration can set.
_GIVEN = frozenset({"model"})


@functools.cache
def dialect_places() -> dict[str, str]:
    """Per dialect, where its adapter is, as the table of backends has its classes."""
    for node in ast.parse(_TABLE.read_text()).body:
        match node:
            case ast.Assign([ast.Name("_DIALECTS")], value):
                table: dict[str, str] = ast.literal_eval(value)
                return {name: f"onnx.dialects.{place}" for name, place in table.items()}
    raise LookupError(f"{_TABLE} has no table of dialects")


def dialect_parameters(task: str, declared: ModelDeclaration) -> frozenset[str] | None:
    """What the dialect that is declared takes, or else any of the task; None when an adapter of
    another package, or of the folder, may be meant: only it knows.
    """
    if declared.parameters.get("adapter"):
        return None
    known, brought = _adapters(task), entry_points.installed("wherry.onnx_adapters")
    dialect = _dialect(declared)
    if dialect in brought or (brought and not dialect):
        return None
    chosen = [known[dialect]] if dialect in known else known.values()
    return frozenset(name for adapter in chosen for name in adapter.named()) - _GIVEN


def dialect_faults(task: str, declared: ModelDeclaration) -> Iterator[Fault]:
    """A fault for a dialect that is none of the task."""
    dialect = _dialect(declared)
    names = [*entry_points.installed("wherry.onnx_adapters"), *_adapters(task)]
    if dialect and dialect not in names:
        listed = f"; there are {', '.join(names)}{meant(dialect, names)}"
        yield Fault(f"parameters: no dialect {dialect!r} does {declared.task}{listed}")


def _dialect(declared: ModelDeclaration) -> str:
    named = declared.parameters.get("dialect", "")
    return named if isinstance(named, str) else ""  # its type is a fault of its own


def _adapters(task: str) -> dict[str, BackendClass]:
    made = {name: BackendClass.of(place) for name, place in dialect_places().items()}
    return {name: adapter for name, adapter in made.items() if task in adapter.tasks()}
