"""Folders that `datasets` wrote with `save_to_disk`: Arrow streams and two JSON files.

Layout as in https://huggingface.co/docs/datasets: `state.json` names the Arrow files in order; a
DatasetDict has `dataset_dict.json` and a folder for each split.
"""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json

from ....protocol.errors import InvalidRequest, RowError
from .files import FileStore

_STATE, _SPLITS = "state.json", "dataset_dict.json"


def is_saved(files: FileStore, folder: str) -> bool:
    """Whether `datasets` wrote this folder."""
    return any(files.is_file(files.join(folder, name)) for name in (_STATE, _SPLITS))


def arrow_files(files: FileStore, folder: str, split: str) -> list[str]:
    """The Arrow files of a saved data set, in order; `split` is "" where there are none.

    Raises InvalidRequest.
    """
    shown = files.shown(folder)
    if files.is_file(files.join(folder, _SPLITS)):
        splits = _document(files, files.join(folder, _SPLITS)).get("splits", [])
        if split not in splits:
            named = ", ".join(f"{shown}#{name}" for name in splits)
            raise InvalidRequest(f"{shown}: has splits, name one of them: {named}")
        folder = files.join(folder, split)
    elif split:
        raise InvalidRequest(f"{shown}: has no splits: name the folder alone")
    state = _document(files, files.join(folder, _STATE))
    if state.get("_indices_data_files"):
        raise InvalidRequest(
            f"{shown}: its rows are chosen by an index: load it with datasets, and save "
            f"`.flatten_indices()` of it"
        )
    return [files.join(folder, str(file["filename"])) for file in state.get("_data_files", [])]


def _document(files: FileStore, path: str) -> dict[str, Any]:  # any JSON
    try:
        document = from_json(files.read(path))
    except (RowError, ValueError) as error:
        raise InvalidRequest(f"{files.shown(path)}: {error}") from None
    return document if isinstance(document, dict) else {}
