"""What a model of torch says of itself, once it is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import transformers

from ...base import Task
from ..facts import ModelFacts, class_names


def facts_of(model: Any, task: Task, revision: str | None) -> ModelFacts:  # built at run time
    """Count a model's weights once each, shared or not, and read its config."""
    weights = list(_weights(model))
    learned = [weight for weight in weights if isinstance(weight, torch.nn.Parameter)]
    config = getattr(model, "config", None)
    return ModelFacts(
        bytes=sum(weight.nbytes for weight in weights),
        parameters=sum(weight.numel() for weight in learned),
        dtype=", ".join(sorted({str(weight.dtype).removeprefix("torch.") for weight in learned})),
        labels=class_names(task, getattr(config, "id2label", None) or {}),
        revision=str(getattr(config, "_commit_hash", None) or revision or ""),
        runtime=f"transformers {transformers.__version__}, torch {torch.__version__}",
    )


def _weights(model: Any) -> Iterator[torch.Tensor]:
    """Parameters and buffers, of each model where there are several, as in a pipeline."""
    parts = getattr(model, "components", {}).values() if not _is_module(model) else [model]
    seen: set[int] = set()
    for part in filter(_is_module, parts):
        for weight in (*part.parameters(), *part.buffers()):
            if id(weight) not in seen:
                seen.add(id(weight))
                yield weight


def _is_module(model: Any) -> bool:
    return isinstance(model, torch.nn.Module)
