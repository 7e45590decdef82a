"""Why rows failed: messages that differ in what they quote alone are one reason."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

#: Reasons that are counted one by one, rows that are named for each, characters of one.
_MOST, _EXAMPLES, _LONG = 50, 3, 300

#: Characters of a name that may stand in a message by chance.
_SHORT = 2

#: What a message quotes of its row, and numbers in it.
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")

#: What reasons beyond the most are counted as.
_OTHERS = "other reasons"


@dataclass(slots=True)
class FailureReason:
    """Rows that failed for one reason."""

    rows: int = 0
    examples: list[str] = field(default_factory=list)


class FailureReasons:
    """Reasons, by the type of error and the message without what is of one row alone."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], FailureReason] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FailureReasons) and self.as_json() == other.as_json()

    __hash__ = None  # type: ignore[assignment] # they change

    def add(self, error_type: str, message: str, row_id: str, path: str) -> None:
        """Count a row that failed."""
        self._count(error_type, reason_of(message, row_id, path), 1, (row_id,))

    def _count(self, error_type: str, reason: str, rows: int, examples: Sequence[str]) -> None:
        key = (error_type, reason)
        if key not in self._found and len(self._found) >= _MOST:
            key = ("", _OTHERS)
        found = self._found.setdefault(key, FailureReason())
        found.rows += rows
        found.examples += examples[: _EXAMPLES - len(found.examples)]

    def join(self, other: FailureReasons) -> None:
        """Count those of a part that follows."""
        for (error_type, reason), found in other._found.items():
            self._count(error_type, reason, found.rows, found.examples)

    def as_json(self) -> list[dict[str, Any]]:
        """The commonest first."""
        ordered = sorted(self._found.items(), key=lambda each: (-each[1].rows, each[0]))
        return [
            {
                "error_type": error_type,
                "reason": reason,
                "rows": found.rows,
                "examples": list(found.examples),
            }
            for (error_type, reason), found in ordered
        ]

    @classmethod
    def of_json(cls, told: Sequence[Mapping[str, Any]]) -> Self:
        """From what `as_json` told."""
        reasons = cls()
        for each in told:
            reasons._count(each["error_type"], each["reason"], each["rows"], each["examples"])
        return reasons


def reason_of(message: str, row_id: str, path: str) -> str:
    """A failed row's message as it would read of any row of its kind."""
    text = message
    for own in (path, row_id):
        if len(own) > _SHORT:
            text = text.replace(own, "…")
    text = _NUMBER.sub("N", _QUOTED.sub("…", text)).partition("\n")[0].strip()
    return text[:_LONG] or "no reason was kept"
