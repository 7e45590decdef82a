"""Whether the estimator of a folder of scikit-learn may be loaded."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

from ..backends.base import ModelRefused
from ..backends.sklearn.declared import (
    check_pickle,
    check_types,
    estimator_file,
    is_skops,
    opened_estimator,
)
from ..catalog import ModelDeclaration
from .fault import Fault


def estimator_faults(declared: ModelDeclaration, handler_dir: str | None) -> Iterator[Fault]:
    """What loading would refuse of the folder, of the file, and of the types that it holds.

    `handler_dir` is None where the caller cannot know it.
    """
    trusted = declared.parameters.get("trusted", ())
    try:
        folder, told = opened_estimator(declared.source, declared.task)
        file = estimator_file(folder, told)
        if not is_skops(file, told):
            if handler_dir is not None:
                check_pickle(folder, file, handler_dir)
        elif isinstance(trusted, list | tuple) and importlib.util.find_spec("skops"):
            _check_types(file, [*map(str, trusted)])
    except ModelRefused as error:
        yield Fault(f"source: {error}")


def _check_types(file: Path, trusted: list[str]) -> None:
    try:
        check_types(file, trusted)
    except ModelRefused:
        raise
    except Exception as error:  # a broken file fails in any way
        text = " ".join(str(error).split())[:300]
        raise ModelRefused(
            f"{file.name} cannot be read: {type(error).__name__}: {text}: save it again"
        ) from error
