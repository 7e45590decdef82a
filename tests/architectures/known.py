"""Faults of ours that the sweep has found and nobody has mended yet: just these are `wrong`."""

from __future__ import annotations

#: Tasks whose rows here are long for Reformer.
_LONG = ("chat", "text-generation", "zero-shot-classification")

#: What is wrong -> with which pairs of task and type.
KNOWN: dict[str, frozenset[tuple[str, str]]] = {
    "what it says is taken for a vector a token, which Perceiver has not: a bare IndexError": (
        frozenset({("fill-mask", "perceiver")})
    ),
    "long rows change with their company: it is tried with texts of less than two chunks": (
        frozenset({(task, "reformer") for task in _LONG})
    ),
    "where every passage is all but impossible, none is answered": (
        frozenset({("question-answering", "mobilebert")})
    ),
    "its prompt is not the one of its documentation": frozenset({("image-text-to-text", "blip-2")}),
    "the picture that it is tried with is too small to be cut in patches: a bare RuntimeError": (
        frozenset({("image-text-to-text", "lighton_ocr")})
    ),
}


def reason_of(task: str, kind: str) -> str:
    """What is wrong with a pair; "" for one that is not known."""
    return next((reason for reason, pairs in KNOWN.items() if (task, kind) in pairs), "")


def known_pairs() -> set[tuple[str, str]]:
    """All of them."""
    return {pair for pairs in KNOWN.values() for pair in pairs}
