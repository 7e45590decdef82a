"""Two runs over the same rows: how far their answers agree, row by row."""

from __future__ import annotations

from typing import NamedTuple

from pydantic_core import to_json

from ..protocol.errors import InvalidRequest
from .run_rows import ORDERED_ROWS, Place, PlacedRow, Sheets, fitting


class ComparedRow(NamedTuple):
    """A row as two runs answered it."""

    a: PlacedRow
    b: PlacedRow
    #: From 0 to 1; None where one of them failed.
    agreement: float | None


class Comparison(NamedTuple):
    """Some rows, least agreement first, and what all of the compared ones come to."""

    rows: list[ComparedRow]
    after: str
    #: Means over the rows that have an agreement; None without any.
    agreement: float | None
    same_first_label: float | None
    #: Rows that were compared, and rows that the first run has: beyond the bound none are.
    counted: int
    of: int


class ComparedAnswer(NamedTuple):
    """What is held of a row while all are compared: whole rows may be large."""

    place: Place
    failed: bool
    weights: dict[str, float]
    first: str
    digest: int
    bytes: int


def compared(one: Sheets, other: Sheets, label: str, after: str, limit: int) -> Comparison:
    """Compare the first rows of two runs by their ids. Raises InvalidRequest, StoreUnavailable."""
    begin = int(after) if after.isdecimal() and len(after) < 10 else 0
    if after and not begin:
        raise InvalidRequest(f"after: {after[:40]!r} is none that a page told")
    theirs = {placed.row["id"]: answer_of(placed) for placed in other.first_rows(ORDERED_ROWS)}
    pairs: list[tuple[float, Place, Place, float | None, int]] = []
    shares, alike = 0.0, 0
    for placed in one.first_rows(ORDERED_ROWS):
        a, b = answer_of(placed), theirs.get(placed.row["id"])
        if b is None or (label and label not in a.weights and label not in b.weights):
            continue
        agreement = agreement_of(a, b)
        # What cannot be compared, since one failed, differs most of all.
        order = -1.0 if agreement is None else agreement
        pairs.append((order, a.place, b.place, agreement, a.bytes + b.bytes))
        if agreement is not None:
            shares += agreement
            alike += a.first == b.first
    pairs.sort(key=lambda pair: pair[:2])
    able = sum(agreement is not None for *_, agreement, _ in pairs)
    end = begin + fitting([size for *_, size in pairs[begin : begin + limit]])
    shown = pairs[begin:end]
    rows = zip(
        one.at([pair[1] for pair in shown]), other.at([pair[2] for pair in shown]), strict=True
    )
    return Comparison(
        rows=[ComparedRow(a, b, of[3]) for (a, b), of in zip(rows, shown, strict=True)],
        after=str(end) if end < len(pairs) else "",
        agreement=shares / able if able else None,
        same_first_label=alike / able if able else None,
        counted=len(pairs),
        of=one.counted,
    )


def agreement_of(a: ComparedAnswer, b: ComparedAnswer) -> float | None:
    """How far two answers agree: the share of their labels, weighed by scores, that both have.

    As weighted Jaccard similarity has it: the sum of the smaller weights over that of the larger.
    Answers without labels agree if they are equal.
    """
    if a.failed or b.failed:
        return None
    if not a.weights and not b.weights:
        return 1.0 if a.digest == b.digest else 0.0
    both = a.weights.keys() | b.weights.keys()
    smaller = sum(min(a.weights.get(name, 0.0), b.weights.get(name, 0.0)) for name in both)
    larger = sum(max(a.weights.get(name, 0.0), b.weights.get(name, 0.0)) for name in both)
    return smaller / larger if larger else 1.0


def answer_of(placed: PlacedRow) -> ComparedAnswer:
    """What of a row is compared."""
    row = placed.row
    weights: dict[str, float] = {}
    for found in row["labels"]:
        score = found.get("score")
        weight = 1.0 if score is None else max(0.0, score)
        weights[found["label"]] = weights.get(found["label"], 0.0) + weight
    first = row["labels"][0]["label"] if row["labels"] else ""
    digest = 0 if weights else hash(to_json(row.get("answer")))
    return ComparedAnswer(
        placed.place, row["state"] == "failed", weights, first, digest, placed.bytes
    )
