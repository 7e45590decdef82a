"""What devices have computed, as the server counts it."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..operations import model_path
from .fleet import Fleet


def compute_s(client: Fleet, model: str) -> float:
    """Seconds that devices have computed for a model so far, for whoever asked."""
    return _ns(_stats(client, model), "compute_infer") / 1e9


class WorkDone(NamedTuple):
    """What workers have done for a model so far."""

    rows: int
    #: Seconds of reading, computing and writing, for all batches together.
    busy_s: float
    #: Of these, what devices have computed.
    compute_s: float = 0.0


def work_done(client: Fleet, model: str) -> WorkDone:
    """What workers have done for a model so far, for whoever asked."""
    stats = _stats(client, model)
    stages = ("compute_input", "compute_infer", "compute_output")
    rows: int = sum(s["inference_count"] for s in stats)
    busy_ns = sum(_ns(stats, stage) for stage in stages)
    return WorkDone(rows, busy_ns / 1e9, _ns(stats, "compute_infer") / 1e9)


def _stats(client: Fleet, model: str) -> list[dict[str, Any]]:
    stats: list[dict[str, Any]] = client.get(f"{model_path(model)}/stats")["model_stats"]
    return stats


def _ns(stats: list[dict[str, Any]], stage: str) -> int:
    return sum(s["inference_stats"][stage]["ns"] for s in stats)
