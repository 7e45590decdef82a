"""A model's folder as the Hub has it: config.json, and an estimator's file, loaded."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import skops.io
from sklearn.exceptions import InconsistentVersionWarning

from ..base import ModelRefused
from .declared import check_pickle, check_types, estimator_file, is_skops, opened_estimator

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SavedEstimator:
    """What a folder holds, loaded."""

    estimator: Any
    #: By the folder's word; () where it says nothing.
    columns: tuple[str, ...]
    #: Columns that hold numbers, by the folder's own example.
    numeric: frozenset[str]
    #: Columns that hold texts, likewise.
    textual: frozenset[str]
    #: A row of the folder's example; empty where it has none.
    example: Mapping[str, Any]
    bytes: int
    #: What is to be said of the versions that it was saved and loaded with.
    warning: str


def load_folder(
    source: str | None, task: str, trusted: Collection[str], handler_dir: str | Path
) -> SavedEstimator:
    """Load the estimator of a folder. Raises ModelRefused.

    A skops file may hold the types that skops knows, and those in `trusted`; a pickle is loaded
    from the operator's directory of trusted code alone.
    """
    folder, told = opened_estimator(source, task)
    file = estimator_file(folder, told)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        if is_skops(file, told):
            estimator = _from_skops(file, trusted)
        else:
            check_pickle(folder, file, handler_dir)
            estimator = _from_pickle(file)
    if not hasattr(estimator, "predict"):
        raise ModelRefused(f"{file.name}: a {type(estimator).__name__} predicts nothing")
    example = _example(told)
    return SavedEstimator(
        estimator,
        _columns(told),
        frozenset(name for name, cells in example.items() if all(map(_is_number, cells))),
        frozenset(name for name, cells in example.items() if all(map(_is_text, cells))),
        {name: cells[0] for name, cells in example.items()},
        file.stat().st_size,
        _versions(folder, found),
    )


def _from_skops(file: Path, trusted: Collection[str]) -> Any:
    try:
        check_types(file, trusted)
        return skops.io.load(file, trusted=sorted(trusted))
    except ModelRefused:
        raise
    except Exception as error:  # a broken file fails in any way
        raise _unloadable(file, error) from error


def _from_pickle(file: Path) -> Any:
    try:
        return joblib.load(file)
    except Exception as error:  # somebody else's code may raise anything
        raise _unloadable(file, error) from error


def _unloadable(file: Path, error: Exception) -> ModelRefused:
    text = " ".join(str(error).split())[:300]
    return ModelRefused(f"{file.name} cannot be loaded: {type(error).__name__}: {text}")


def _columns(told: Mapping[str, Any]) -> tuple[str, ...]:
    columns = told.get("columns")
    return tuple(map(str, columns)) if isinstance(columns, list) else ()


def _example(told: Mapping[str, Any]) -> dict[str, Sequence[Any]]:
    """The first rows of what the model was fitted to, by columns."""
    example = told.get("example_input")
    data = example.get("data") if isinstance(example, dict) else None
    if not isinstance(data, dict):
        return {}
    return {str(n): cells for n, cells in data.items() if isinstance(cells, list) and cells}


def _is_number(cell: object) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def _is_text(cell: object) -> bool:
    return isinstance(cell, str)


def _versions(folder: Path, found: Sequence[warnings.WarningMessage]) -> str:
    """What is wrong with the versions of scikit-learn; everything that was warned of is logged."""
    told = ""
    for warning in found:
        said = warning.message
        if isinstance(said, InconsistentVersionWarning):
            told = (
                f"the model was saved with scikit-learn {said.original_sklearn_version} and runs on"
                f" {said.current_sklearn_version}: it may answer otherwise"
            )
        else:
            log.warning("%s: %s", folder, said)
    if told:
        log.warning("%s: %s", folder, told)
    return told
