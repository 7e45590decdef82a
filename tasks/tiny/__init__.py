"""Tiny models with random weights, made in code: a second or less each, and no download.

They prove plumbing (loading, shapes, batching, parity), never meaning. Tests use them, and
`wherry up --sample-models` where no trained model can be had.
"""

from __future__ import annotations

import importlib
from pathlib import Path

#: Model -> module:function of this package. A name that is a task's is that task's sample model.
BUILDERS: dict[str, str] = {}


def build(name: str, folder: Path) -> Path:
    """Write the model of that name to a folder, in the form of transformers. Answers the folder."""
    import torch

    module, _, function = BUILDERS[name].partition(":")
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    getattr(importlib.import_module(f".{module}", __package__), function)(folder)
    return folder
