"""What devices have computed, as the server counts it."""

from __future__ import annotations

from typing import Any

from ..operations import model_path
from .fleet import Fleet


def compute_s(client: Fleet, model: str) -> float:
    """Seconds that devices have computed for a model so far, for whoever asked."""
    stats: Any = client.get(f"{model_path(model)}/stats")
    ns: int = sum(s["inference_stats"]["compute_infer"]["ns"] for s in stats["model_stats"])
    return ns / 1e9
