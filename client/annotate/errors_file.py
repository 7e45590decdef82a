"""OUT.errors.jsonl: a row that has no answer a line. Written by a run, read to try them again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from ..errors import UsageError
from .ledger import LedgerRow

#: What a line holds.
_FIELDS = {"id": str, "path": str, "index": int, "error": str, "error_type": str}

_EXPECTED = f"expected OUT.errors.jsonl of an earlier run, each line with {', '.join(_FIELDS)}"


def error_line(placed: LedgerRow) -> str:
    """A row that failed."""
    values = (placed.id, placed.path, placed.position, placed.error, placed.error_type)
    line = dict(zip(_FIELDS, values, strict=True))
    return json.dumps(line, ensure_ascii=False) + "\n"


def failed_ids(errors: Path) -> Iterator[str]:
    """The ids that a file of such lines, or of some of them, holds.

    Raises UsageError for a file of anything else, when the line is read, and for one of nothing.
    """
    number = 0
    with errors.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            yield _id(line, errors, number)
    if not number:
        raise UsageError(f"{errors}: holds no line; {_EXPECTED}")


def _id(line: bytes, errors: Path, number: int) -> str:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict) or {n: type(v) for n, v in found.items()} != _FIELDS:
        raise UsageError(f"{errors}: line {number} is none that annotate wrote; {_EXPECTED}")
    return str(found["id"])
