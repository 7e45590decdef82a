"""From a finished ledger to files: the answers in their format, the errors, what to report."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ...protocol.errors import RowError
from ...tasks.annotations.fits import lists_guesses
from ...tasks.annotations.reasons import FailureReasons
from ...tasks.annotations.stretches import SCORE_BINS, Stretches
from ...tasks.base import Task, TaskOutput
from ...tasks.plain_items import form_of
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


class Found(NamedTuple):
    """What a row's answer lists: of each item its label, "" without, and its score, NaN without."""

    labels: Sequence[str]
    scores: Sequence[float]


_NOTHING = Found((), ())


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

    #: Whether answers are guesses about a whole row, of which the first is counted alone: the
    #: others are what it is not.
    guesses: bool = False

    def add(self, annotation: Annotation, found: Found) -> None:
        """Count one row's labels and scores, and its warning."""
        warning = annotation.warning
        if warning:
            self.warned += 1
            if len(self.warnings) < WARNINGS:
                self.warnings[annotation.id] = warning
        named, scores = found
        first = named[0] if named else ""
        if self.guesses:
            named, scores = named[:1], scores[:1]
        labels, bins, top = self.labels, self.scores, None
        for label in named:
            if label:
                labels[label] = labels.get(label, 0) + 1  # a Counter asks Python for what it lacks
        for score in scores:
            if 0 <= score <= 1:
                bins[min(SCORE_BINS - 1, int(score * SCORE_BINS))] += 1
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


#: Told of a row in its place, of its answer if it has one, and what that lists.
Seen = Callable[[LedgerRow, Annotation | None, Found], None]


def write_output(
    ledger: Ledger,
    origin: Origin,
    writer: type[Writer],
    out: Path,
    errors: Path,
    layout: OutputLayout | None = None,
    *,
    base: int = 0,
    seen: Seen = lambda placed, annotation, found: None,  # noqa: ARG005 # nobody looks
    part: Path | None = None,
) -> Findings:
    """Write every row's answer or error, in the source's order.

    Of a part of a source, `base` is how many rows come before it, and `part` the folder that is
    to have what the whole output's writer joins. `seen` is told of each row.

    `errors` is only there when some row failed: one that has no answer, or one that the format
    cannot hold.
    """
    findings = Findings(first=base, guesses=lists_guesses(origin.task.output))
    answers = StoredAnswers(ledger, origin.task)
    with errors.open("w", encoding="utf-8") as failed:
        with writer(out, origin, *([layout] if writer.uses else [])) as writing:
            for placed in ledger.placed(base, texts=writer.writes_text):
                findings.rows += 1
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
        seen(placed, None, _NOTHING)
        return placed
    annotation = answers.annotation(placed, placed.answer)
    found = labelled(annotation, writer.origin.task)
    seen(placed, annotation, found)
    try:
        writer.write(annotation)
    except RowError as error:
        return placed._replace(error=error.message, error_type=error.code)
    findings.add(annotation, found)
    return None


def labelled(annotation: Annotation, task: Task) -> Found:
    """What a row's answer lists, whatever the task."""
    items = annotation.items
    form = form_of(task.output) if items is not None else None
    if items is None or form is None:
        found = list(_labelled(annotation.output))
        return Found([label for label, _ in found], [score for _, score in found])
    return Found(form.labels(items), form.scores(items))


def _labelled(output: TaskOutput) -> Iterator[tuple[str, float]]:
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
