"""From a finished ledger to files: the answers in their format, the errors, what to report."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...protocol.errors import RowError
from ...tasks.annotations.fits import lists_guesses
from ...tasks.annotations.reasons import FailureReasons
from ...tasks.annotations.stretches import SCORE_BINS, Stretches
from ...tasks.base import TaskOutput
from ...tasks.vision.documents import DocumentsOutput
from .errors_file import error_line
from .formats import OutputLayout, Writer
from .ledger import Ledger, LedgerRow
from .rows import Annotation, Origin
from .stored_answers import StoredAnswers

#: What is told where rows are parts of their files, and readers look for pictures.
_NO_PICTURES = (
    "the pictures of frames and pages lie nowhere: --format yolo, or voc with --images copy, "
    "writes them beside what was found"
)

#: Warnings and errors that are shown, at most.
WARNINGS = 8


@dataclass(slots=True)
class Findings:
    """What was found in all rows."""

    rows: int = 0
    failed: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    scores: list[int] = field(default_factory=lambda: [0] * SCORE_BINS)
    error_types: Counter[str] = field(default_factory=Counter)
    #: Why some of them failed.
    errors: dict[str, str] = field(default_factory=dict)
    #: Rows that were answered with a warning, and what it was of some.
    warned: int = 0
    warnings: dict[str, str] = field(default_factory=dict)
    #: What people are to know of the whole output.
    notes: list[str] = field(default_factory=list)
    #: Place of the first row in the source.
    first: int = 0
    stretches: Stretches = field(default_factory=Stretches)
    reasons: FailureReasons = field(default_factory=FailureReasons)

    def add(self, row_id: str, output: TaskOutput) -> None:
        """Count one row's labels and scores, and its warning.

        Of guesses about a whole row the first is counted alone: the others are what it is not.
        """
        if output.warning:
            self.warned += 1
            if len(self.warnings) < WARNINGS:
                self.warnings[row_id] = output.warning
        first, top, is_guess = "", None, lists_guesses(type(output))
        for place, (label, score) in enumerate(labelled(output)):
            if place == 0:
                first = label
            elif is_guess:
                break
            if label:
                self.labels[label] += 1
            if 0 <= score <= 1:
                self.scores[min(SCORE_BINS - 1, int(score * SCORE_BINS))] += 1
                top = score if top is None or score > top else top
        self.stretches.answered(self.first + self.rows - 1, first, top)

    def add_failure(self, failure: LedgerRow) -> None:
        """Count a row that failed, and why."""
        self.failed += 1
        self.error_types[failure.error_type] += 1
        self.stretches.failed(self.first + self.rows - 1)
        self.reasons.add(failure.error_type, failure.error, failure.id, failure.path)
        if len(self.errors) < WARNINGS:
            self.errors[failure.id] = failure.error


#: Told of a row in its place, and of its answer if it has one.
Seen = Callable[[LedgerRow, Annotation | None], None]


def write_output(
    ledger: Ledger,
    origin: Origin,
    writer: type[Writer],
    out: Path,
    errors: Path,
    layout: OutputLayout | None = None,
    *,
    base: int = 0,
    seen: Seen = lambda placed, annotation: None,  # noqa: ARG005 # nobody looks
    part: Path | None = None,
) -> Findings:
    """Write every row's answer or error, in the source's order.

    Of a part of a source, `base` is how many rows come before it, and `part` the folder that is
    to have what the whole output's writer joins. `seen` is told of each row.

    `errors` is only there when some row failed: one that has no answer, or one that the format
    cannot hold.
    """
    findings, answers = Findings(first=base), StoredAnswers(ledger, origin.task)
    with errors.open("w", encoding="utf-8") as failed:
        with writer(out, origin, *([layout] if writer.uses else [])) as writing:
            for placed in ledger.placed():
                findings.rows += 1
                if base:
                    placed = placed._replace(position=placed.position + base)
                failure = _written(writing, answers, placed, findings, seen)
                if failure:
                    findings.add_failure(failure)
                    failed.write(error_line(failure))
            if part:
                writing.leave(part)
        findings.notes += writing.notes
        if writer.names_pictures and origin.has_frames:
            findings.notes.append(_NO_PICTURES)
        failed.flush()
        os.fsync(failed.fileno())
    if not findings.failed:
        errors.unlink()
    return findings


def _written(
    writer: Writer, answers: StoredAnswers, placed: LedgerRow, findings: Findings, seen: Seen
) -> LedgerRow | None:
    """Write a row's answer and count what it holds; the row with its error where there is none."""
    if placed.answer is None:
        seen(placed, None)
        return placed
    annotation = annotation_of(placed, answers.read(placed.answer))
    seen(placed, annotation)
    try:
        writer.write(annotation)
    except RowError as error:
        return placed._replace(error=error.message, error_type=error.code)
    findings.add(annotation.id, annotation.output)
    return None


def annotation_of(placed: LedgerRow, output: TaskOutput) -> Annotation:
    """A placed row with its answer."""
    # A page that is a row was sent alone, so that its answer calls it the first.
    if placed.frame and placed.frame.page and isinstance(output, DocumentsOutput):
        output = output.on_page(placed.frame.page)
    return Annotation(
        index=placed.position,
        id=placed.id,
        path=placed.path,
        output=output,
        size=placed.size,
        frame=placed.frame,
        text=placed.text,
    )


def labelled(output: TaskOutput) -> Iterator[tuple[str, float]]:
    """Labels ("" without) and scores (NaN without) of whatever a row's answer lists."""
    for rows in output.__dict__.values():
        row: Any = rows[0] if type(rows) is list and rows else None
        # Numbers are not looked at one by one: a vector has a thousand.
        # Whether it is a model: to ask an abstract class takes ten times as long.
        is_model = type(row) is list and row and hasattr(row[0], "__pydantic_fields__")
        for item in row if is_model else []:
            told = item.__dict__
            label = told.get("label") or told.get("entity")
            score = told.get("score")
            yield (
                label if type(label) is str else "",
                score if type(score) is float else math.nan,
            )
