"""Training as the scripts here share it: AdamW, warmed up, then along a cosine."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

import torch

log = logging.getLogger(__name__)

_WARM_UP, _LOG_EVERY = 100, 500


def descend(
    model: torch.nn.Module, loss: Callable[[], torch.Tensor], *, steps: int, rate: float
) -> None:
    """Take so many steps down a loss that draws its batch anew each time it is called."""
    optimizer = torch.optim.AdamW(model.parameters(), rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(1, (step + 1) / _WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * step / steps)),
    )
    model.train()
    for step in range(steps):
        now = loss()
        optimizer.zero_grad()
        now.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % _LOG_EVERY == 0:
            log.info("step %d of %d: loss %.3f", step, steps, now.item())
