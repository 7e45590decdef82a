"""Random weights that tell rows apart: as transformers makes them, all rows are answered alike."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

#: By draw: what keeps what goes through many layers about as large as it was, what keeps it from
#: fading in deep ones, and what keeps it from growing.
_GAINS = (1.5, 3.0, 0.7)


def liven(model: Any, seed: int = 0) -> Any:
    """Draw all matrices anew, wide enough to matter; norms and what has a meaning stay."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            for name, parameter in module.named_parameters(recurse=False):
                if parameter.is_floating_point():
                    _draw(module, name, parameter, draw, _GAINS[seed % len(_GAINS)])
    return model.eval()


def _draw(
    module: nn.Module, name: str, parameter: torch.Tensor, draw: torch.Generator, gain: float
) -> None:
    if name == "bias" and parameter.ndim == 1:
        parameter.normal_(std=0.1, generator=draw)
    if parameter.ndim < 2 or "A_log" in name:
        return
    if isinstance(module, nn.Embedding):
        parameter.normal_(std=1.0, generator=draw)
        return
    convolution = isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d)
    fan = parameter[0].numel() if convolution else parameter.shape[-1]
    parameter.normal_(std=gain / max(1, fan) ** 0.5, generator=draw)
