"""Whether modules.json of sentence-transformers can be read, and the folders that it names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from .fault import Fault

_FILE = "modules.json"
_COPY = "copy the whole folder again"

#: Modules that are nothing without what their folder says.
_TOLD = frozenset({"Dense", "LayerNorm", "Pooling", "WeightedLayerPooling"})


def module_faults(folder: Path) -> Iterator[Fault]:
    """What is wrong with the list of a folder's modules; nothing where there is none."""
    file = folder / _FILE
    if not file.exists():
        return
    try:
        modules = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        yield Fault(f"{file} is not JSON ({error}): {_COPY}")
        return
    is_list = isinstance(modules, list) and all(isinstance(entry, dict) for entry in modules)
    if not is_list or not all({"type", "path"} <= entry.keys() for entry in modules):
        yield Fault(f"{file} is no list of modules, a type and a path each: {_COPY}")
        return
    for entry in modules:
        name = str(entry["type"]).rpartition(".")[2]
        told = folder / str(entry["path"]) / "config.json"
        if name in _TOLD and not told.is_file():
            yield Fault(f"{file} names a {name}, and there is no {told}: {_COPY}")
