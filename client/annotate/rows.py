"""What goes in and what comes out of an annotation run, row by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...tasks.base import Task, TaskOutput
from ...tasks.plain_items import PlainItems


def unnamed(number: str) -> str:
    """The name of a row without an id among others that have one; no id may look like it."""
    return f"(row {number})"


@dataclass(frozen=True, slots=True)
class SampledFrame:
    """What a row is of its file, where a file is many rows."""

    #: The file, as rows' ids name it: below the source.
    file: str
    #: Counts the file's frames or pages from 0.
    number: int
    #: How many the file has, rows or not; None where that was not noted.
    total: int | None
    #: Seconds from the film's start at which it is shown; None where nothing moves.
    time_s: float | None = None
    #: A document's page, from 1; None for frames.
    page: int | None = None


@dataclass(slots=True)  # one a row: a frozen one takes four times as long to make
class SourceRow:
    """One row of a data set, as a source reads it."""

    #: Unique within the source and the same in every run: a path below the source, or an id column.
    id: str
    #: What the task reads: field of its Input that holds rows (`images`, `texts`) -> this row's.
    values: Mapping[str, Any]
    #: Where people find the row's file, "" where it has none.
    path: str = ""
    #: None where the file is one row.
    frame: SampledFrame | None = None
    #: This machine's file that holds just the first of the row's files, as the system calls it; ""
    #: where they come from elsewhere.
    file: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row that a source found and could not read."""

    id: str
    reason: str
    path: str = ""


@dataclass(slots=True)  # one a row, as above
class Annotation:
    """One row's answer."""

    #: Counts the source's rows from 0; unreadable and failed ones have a number too.
    index: int
    id: str
    path: str
    #: One row: `output.rows()` has one entry.
    output: TaskOutput
    #: Width and height in pixels of the row's image; None without one.
    size: tuple[int, int] | None
    #: What the row's text is, for formats that write it.
    text: str = ""
    #: What the row is of its file; None where the file is one row.
    frame: SampledFrame | None = None

    @property
    def items(self) -> PlainItems | None:
        """What the answer lists, as plain values; None where only its models tell."""
        return None

    @property
    def warning(self) -> str:
        """What is to be told beside the answer; "" for nothing."""
        return self.output.warning


@dataclass(frozen=True, slots=True)
class Origin:
    """What made the annotations of one output."""

    task: Task
    model: str
    version: str
    parameters: Mapping[str, Any]
    source: str
    #: Whether some rows are frames or pages of a file.
    has_frames: bool = False
    #: The tensors that the model declares itself, where its task leaves that to it.
    own: frozenset[str] = frozenset()
