"""Faults of ours that the sweep has found and nobody has mended yet: just these are `wrong`."""

from __future__ import annotations

#: What is wrong -> with which pairs of task and type.
KNOWN: dict[str, frozenset[tuple[str, str]]] = {}


def reason_of(task: str, kind: str) -> str:
    """What is wrong with a pair; "" for one that is not known."""
    return next((reason for reason, pairs in KNOWN.items() if (task, kind) in pairs), "")


def known_pairs() -> set[tuple[str, str]]:
    """All of them."""
    return {pair for pairs in KNOWN.values() for pair in pairs}
