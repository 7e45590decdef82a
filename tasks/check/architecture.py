"""Whether a model's architecture can do a task, by the tables in transformers' source."""

from __future__ import annotations

import ast
import functools
import importlib.metadata
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...protocol.nearest import meant
from ..backends import backend_places
from .backend_class import BackendClass
from .fault import Fault


def architecture_faults(task: str, auto_class: str, config: Mapping[str, Any]) -> list[Fault]:
    """What a config.json says against a task. Nothing where it, or transformers, does not tell."""
    kind = config.get("model_type")
    known = _known_types()
    if not isinstance(kind, str) or not known:
        return []
    if kind not in known:
        version = importlib.metadata.version("transformers")
        own = " and a model's own code is never run" if config.get("auto_map") else ""
        return [
            Fault(
                f"transformers {version} does not know the model type {kind!r}{own}"
                f"{meant(kind, known)}"
            )
        ]
    table = _classes(auto_class)
    if not table:
        return []
    saved = [str(name) for name in config.get("architectures") or ()]
    if kind not in table:
        others = [other for name in saved for other in _tasks_of(name)]
        hint = f"; as {saved[0]} it does {', '.join(others)}" if others else ""
        return [Fault(f"a model of type {kind!r} cannot do {task}{hint}")]
    heads = {name for names in table.values() for name in names}
    if auto_class != "AutoModel" and saved and not heads.intersection(saved):
        want = " or ".join(table[kind])
        return [
            Fault(
                f"config.json says that it was saved as {saved[0]}, and {task} wants {want}:"
                " weights may be missing",
                is_error=False,
            )
        ]
    return []


def _tasks_of(name: str) -> list[str]:
    """The tasks that models of a class do."""
    return [
        task
        for task, place in backend_places("transformers").items()
        if any(name in names for names in _classes(BackendClass.of(place).auto_class()).values())
    ]


@functools.cache
def _source(name: str) -> ast.Module | None:
    spec = importlib.util.find_spec("transformers")  # which imports nothing of it
    if spec is None or spec.origin is None:
        return None
    try:
        return ast.parse((Path(spec.origin).parent / "models" / "auto" / name).read_text())
    except (OSError, SyntaxError):
        return None


@functools.cache
def _known_types() -> frozenset[str]:
    """The model types that transformers has configurations for, and other words; {} without it."""
    trees = [_source("auto_mappings.py"), _source("configuration_auto.py")]
    return frozenset(
        node.value
        for tree in trees
        if tree is not None
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


@functools.cache
def _assigned() -> dict[str, ast.expr]:
    tree = _source("modeling_auto.py")
    return {
        line.targets[0].id: line.value
        for line in (tree.body if tree else ())
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name)
    }


@functools.cache
def _classes(auto_class: str) -> dict[str, tuple[str, ...]]:
    """The classes that an auto class makes, by model type; {} where that cannot be read."""
    tree, assigned = _source("modeling_auto.py"), _assigned()
    for node in tree.body if tree else ():
        if isinstance(node, ast.ClassDef) and node.name == auto_class:
            match [line.value for line in node.body if isinstance(line, ast.Assign)]:
                case [ast.Name(mapping), *_]:
                    return _table(assigned, mapping)
    return _kinds_of(auto_class)


def _kinds_of(name: str) -> dict[str, tuple[str, ...]]:
    """The model types of a class of one kind, by the tables that name it."""
    tables = (_table_of(value) for value in _assigned().values())
    return {kind: (name,) for table in tables for kind, names in table.items() if name in names}


def _table(assigned: Mapping[str, ast.expr], mapping: str) -> dict[str, tuple[str, ...]]:
    match assigned.get(mapping):
        case ast.Call(_, [_, ast.Name(names)]):
            return _table_of(assigned.get(names))
    return {}


def _table_of(value: ast.expr | None) -> dict[str, tuple[str, ...]]:
    """A table of model types as it is written: OrderedDict([(kind, class or classes), ...])."""
    match value:
        case ast.Call(_, [ast.List() as pairs]):
            try:
                read = dict(ast.literal_eval(pairs))
            except (ValueError, TypeError):
                return {}
            return {k: (v,) if isinstance(v, str) else tuple(v) for k, v in read.items()}
    return {}
