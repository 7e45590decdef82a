"""Code that lies in models' folders: run where the operator trusts it, and nowhere else."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType


def within(folder: Path, name: str, trusted: str | Path) -> Path:
    """A file of a folder in the trusted directory, links followed. Raises ValueError."""
    top = Path(trusted).resolve()
    file = (folder / name).resolve()
    if not (folder.resolve().is_relative_to(top) and file.is_relative_to(top)):
        raise ValueError(f"{name!r} of {folder} is not in the directory of trusted code, {top}")
    if not file.is_file():
        raise ValueError(f"{folder} holds no {name}")
    return file


def run_file(file: Path) -> ModuleType:
    """Run a file as a module of its own, which may import those beside it."""
    name = f"wherry_trusted_{abs(hash(file))}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with _importing_from(file.parent):
        sys.modules[name] = module  # pickle and dataclasses look there
        spec.loader.exec_module(module)
    return module


@contextmanager
def _importing_from(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
