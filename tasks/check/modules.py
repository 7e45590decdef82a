"""Whether modules.json of sentence-transformers can be read, and the folders that it names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from ..backends.text.sentence_modules import COPY, MODULES_FILE, listed_modules, served_modules
from .fault import Fault

#: Modules that are nothing without what their folder says.
_TOLD = frozenset({"Dense", "LayerNorm", "Pooling", "WeightedLayerPooling"})


def module_faults(folder: Path) -> Iterator[Fault]:
    """What is wrong with the list of a folder's modules; nothing where there is none."""
    file = folder / MODULES_FILE
    if not file.exists():
        return
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        yield Fault(f"{file} is not JSON ({error}): {COPY}")
        return
    try:
        modules = served_modules(listed_modules(told))
    except ValueError as error:
        yield Fault(f"{file} {error}")
        return
    for name, path in modules:
        config = folder / path / "config.json"
        if name in _TOLD and not config.is_file():
            yield Fault(f"{file} names a {name}, and there is no {config}: {COPY}")
