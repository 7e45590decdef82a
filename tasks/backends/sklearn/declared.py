"""What a folder says of its estimator, and whether it may be loaded: nothing of it is, here."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ..base import ModelRefused
from ..sources import opened_folder
from ..trusted import within

_PICKLE = "a pickle runs code as it is loaded"


def opened_estimator(source: str | None, task: str) -> tuple[Path, Mapping[str, Any]]:
    """The folder of a source, and what its config.json says of an estimator for the task.

    Raises ModelRefused.
    """
    folder = opened_folder(source, "config.json and an estimator")
    told = _told(folder)
    if told.get("task", task) != task:
        raise ModelRefused(f"config.json says sklearn.task {told['task']!r}: declare it as that")
    return folder, told


def _told(folder: Path) -> Mapping[str, Any]:
    """What config.json says under `sklearn`."""
    try:
        told = json.loads((folder / "config.json").read_text())["sklearn"]
        if isinstance(told, dict):
            return told
    except FileNotFoundError:
        raise ModelRefused(
            f"{folder} has no config.json: skops.hub_utils.init writes one"
        ) from None
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        pass
    raise ModelRefused("config.json has no object `sklearn`, as skops.hub_utils.init writes it")


def estimator_file(folder: Path, told: Mapping[str, Any]) -> Path:
    """The file that config.json names. Raises ModelRefused."""
    model = told.get("model")
    name = model.get("file") if isinstance(model, dict) else None
    if not isinstance(name, str) or not name:
        raise ModelRefused("config.json names no file at sklearn.model.file")
    try:
        return within(folder, name, folder)
    except ValueError as error:
        raise ModelRefused(f"config.json: sklearn.model.file {error}") from None


def is_skops(file: Path, told: Mapping[str, Any]) -> bool:
    """Whether it is one of skops; else it is a pickle. Raises ModelRefused for another word."""
    said = told.get("model_format")
    if said not in (None, "auto", "skops", "pickle"):
        raise ModelRefused(f"config.json: sklearn.model_format {said!r}: use skops or pickle")
    return said == "skops" or (said != "pickle" and file.suffix == ".skops")


def check_pickle(folder: Path, file: Path, handler_dir: str | Path) -> None:
    """Raise ModelRefused unless a pickle lies in the operator's directory of trusted code."""
    if not str(handler_dir):
        raise ModelRefused(
            f"{file.name}: {_PICKLE}, and code in models' folders is off; save it with skops, or "
            "let WHERRY_HANDLER_DIR name where trusted ones lie"
        )
    try:
        within(folder, file.name, handler_dir)
    except ValueError as error:
        raise ModelRefused(f"{_PICKLE}: {error}") from None


def check_types(file: Path, trusted: Collection[str]) -> None:
    """Raise ModelRefused for a skops file with types that neither skops nor `trusted` knows."""
    import skops.io  # of seconds, for whoever only looks at config.json

    unknown = sorted(set(skops.io.get_untrusted_types(file=file)) - set(trusted))
    if unknown:
        raise ModelRefused(
            f"{file.name} holds types that skops does not trust: {', '.join(unknown)}; "
            "name those that you trust in the parameter `trusted`"
        )
