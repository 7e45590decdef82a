"""A batch's outputs, row by row: what a processor's post-processing takes for each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch


def on_cpu(outputs: Any, names: Iterable[str]) -> dict[str, torch.Tensor]:
    """The named outputs, those that the model has, as float32 in memory. Call within `forward`."""
    return {name: outputs[name].float().cpu() for name in names if outputs.get(name) is not None}


def row_of(kind: type[Any], outputs: dict[str, torch.Tensor], row: int, parts: int = 1) -> Any:
    """One row's outputs, (parts, ...) each, as the model's own class of outputs."""
    own = slice(row * parts, (row + 1) * parts)
    return kind(**{name: tensor[own] for name, tensor in outputs.items()})
