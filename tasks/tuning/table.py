"""A verdict as operators read it."""

from __future__ import annotations

from typing import Any

from .verdict import Tried, Verdict


def told_of(verdict: Verdict) -> dict[str, Any]:
    """What the fleet tells of a verdict: the backend, why it is that one, and what was tried."""
    return {
        "backend": verdict.chosen.backend,
        "tuning": {
            "chosen": verdict.chosen.name,
            "why": verdict.why,
            "tolerance": verdict.tolerance,
            "tried": [_row(each) for each in verdict.tried],
        },
    }


def _row(tried: Tried) -> dict[str, Any]:
    return {
        "name": tried.candidate.name,
        "rows_per_s": {str(size): rate for size, rate in tried.rows_per_s.items()},
        "difference": tried.difference,
        "rows": tried.rows,
        "first_changed": tried.first_changed,
        "refused": tried.refused,
    }
