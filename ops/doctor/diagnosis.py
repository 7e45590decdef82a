"""What a check found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How bad it is: an error loses or holds up work, a warning will; a note is to be known."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that is not as it should be."""

    #: Names the check; it stays.
    check: str
    severity: Severity
    #: What was found, with its numbers and names.
    found: str
    means: str
    remedy: str
    #: A page, and the place on it.
    page: str

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
