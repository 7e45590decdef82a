"""What the contract asks of a task's backends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: Fields of an input of one row.
Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Changed:
    """Another value of a parameter, and what must be so for it to tell."""

    value: Any
    beside: Row = field(default_factory=dict)
    #: Rows that it tells of, where the case's own show nothing.
    rows: Sequence[Row] = ()


@dataclass(frozen=True, kw_only=True)
class Case:
    """Rows for a task, and what is to become of them."""

    #: Of different sizes, and answered differently.
    rows: Sequence[Row]
    #: What makes a row fail, laid over a good one, and how its error tells of it.
    broken: Sequence[tuple[Row, str]] = ()
    #: What makes a row too large, likewise.
    beyond: Sequence[tuple[Row, str]] = ()
    #: Parameters of all rows: models of random weights are sure of nothing, and write on and on.
    fixed: Row = field(default_factory=dict)
    #: Each parameter but `truncate`, which is what `beyond` is about.
    changed: Mapping[str, Changed] = field(default_factory=dict)
