"""Which modules of sentence-transformers are served, and in which order.

A check of models imports this, too: it needs the standard library only.
"""

from __future__ import annotations

from pathlib import PureWindowsPath
from typing import Any

#: What sentence-transformers writes into a model's folder.
MODULES_FILE = "modules.json"

#: The modules that are served, in the order in which they may follow each other.
BEFORE = ("Transformer", "WeightedLayerPooling", "Pooling")
AFTER = ("Dense", "LayerNorm", "Normalize", "Dropout")

#: The remedy for a list that is broken.
COPY = "copy the whole folder again"


def listed_modules(told: Any) -> list[tuple[str, str]]:
    """The classes and folders that a list of modules names.

    Raises ValueError, in words that go on from the file's name, where it names none or leads out
    of the model's folder.
    """
    try:
        if not isinstance(told, list):
            raise TypeError
        modules = [(str(module["type"]), str(module["path"])) for module in told]
    except (KeyError, TypeError):
        raise ValueError(f"is no list of modules, a type and a path each: {COPY}") from None
    if not modules:
        raise ValueError(f"names no modules: {COPY}, or delete the file for the tokens' mean")
    for _, path in modules:
        if path.startswith(("/", "\\")) or ".." in PureWindowsPath(path).parts:
            raise ValueError(f"leads out of the folder: {path}")
    return modules


def served_modules(modules: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The modules by their short names. Raises ValueError, as above, for what is not served."""
    named = [(kind.rpartition(".")[2], path) for kind, path in modules]
    served = (*BEFORE, *AFTER)
    for (kind, _), (name, _) in zip(modules, named, strict=True):
        if name not in served or not kind.startswith("sentence_transformers."):
            raise ValueError(
                f"has a module {kind}, which is not served; there are {', '.join(served)} of "
                "sentence-transformers"
            )
    names = [name for name, _ in named]
    before = [name for name in names if name in BEFORE]
    if names[: len(before)] != before or before not in ([*BEFORE], ["Transformer", "Pooling"]):
        raise ValueError(
            f"has the modules {', '.join(names)}; an embedding begins with Transformer, then "
            "perhaps WeightedLayerPooling, then Pooling"
        )
    return named
