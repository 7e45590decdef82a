"""Whether code of a model's folder is where the operator trusts it; none of it runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from ..backends.handler import trusted_file
from ..backends.trusted import within
from .fault import Fault

_CLASS = "EndpointHandler"


def handler_faults(source: str | None, handler_dir: str) -> Iterator[Fault]:
    """What keeps a folder's handler.py from being loaded, as far as its text tells."""
    try:
        file = trusted_file(source, handler_dir)
    except ValueError as error:
        yield Fault(f"source: {error}")
        return
    try:
        names = _names(ast.parse(file.read_bytes(), filename=str(file)))
    except SyntaxError as error:
        yield Fault(f"source: {file}, line {error.lineno}: {error.msg}: mend it")
    except (OSError, ValueError) as error:
        yield Fault(f"source: {file} cannot be read: {error}")
    else:
        if not {_CLASS, "*"} & names:
            yield Fault(f"source: {file} has no class {_CLASS}: name it so")


def adapter_faults(source: str | None, name: str, handler_dir: str) -> Iterator[Fault]:
    """What keeps a file of a model's folder from being trusted as its adapter."""
    if not handler_dir:
        yield Fault(
            f"parameters: adapter {name!r}: code in models' folders is off; WHERRY_HANDLER_DIR "
            "names where trusted ones lie"
        )
        return
    try:
        within(Path(source or ""), name, handler_dir)
    except ValueError as error:
        yield Fault(f"parameters: adapter {error}")


def _names(tree: ast.Module) -> set[str]:
    """The names that a module may have; `*` for those of another that it takes all of."""
    found: set[str] = set()
    for node in ast.walk(tree):  # within `if` and `try`, too
        match node:
            case ast.ClassDef(name) | ast.FunctionDef(name):
                found.add(name)
            case ast.Name(name, ast.Store()):
                found.add(name)
            case ast.Import(aliases) | ast.ImportFrom(_, aliases):
                found |= {alias.asname or alias.name for alias in aliases}
    return found
