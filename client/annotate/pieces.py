"""An output in pieces: what parts of a source came to, each in the output's own format.

Formats of lines are written piece by piece, wherever the parts are, and put one after another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pydantic_core import from_json, to_json

from ...tasks.annotations.reasons import FailureReasons
from ...tasks.annotations.stretches import Stretches
from .formats import Writer
from .ledger import Ledger
from .output import WARNINGS, Findings, Seen, write_output
from .rows import Origin

#: What a piece's files are called.
ROWS, ERRORS, FINDINGS = "rows", "errors", "findings"

#: Parts of findings that have a form of their own.
_OWN: Mapping[str, type[Stretches] | type[FailureReasons]] = {
    "stretches": Stretches,
    "reasons": FailureReasons,
}


class OutputPiece(NamedTuple):
    """The files of a piece."""

    rows: Path
    errors: Path
    findings: Path

    @property
    def files(self) -> Iterator[tuple[str, Path]]:
        """Those that are there, by name."""
        named = zip((ROWS, ERRORS, FINDINGS), self, strict=True)
        return ((name, path) for name, path in named if path.exists())


def write_piece(
    ledger: Ledger, origin: Origin, writer: type[Writer], folder: Path, base: int, seen: Seen
) -> tuple[OutputPiece, Findings]:
    """Write what a part's ledger has, whose first row is the source's row `base`."""
    piece = OutputPiece(folder / ROWS, folder / ERRORS, folder / FINDINGS)
    findings = write_output(ledger, origin, writer, piece.rows, piece.errors, base=base, seen=seen)
    told = {field.name: getattr(findings, field.name) for field in fields(findings)}
    told |= {name: told[name].as_json() for name in _OWN}
    piece.findings.write_bytes(to_json(told))
    return piece, findings


def read_findings(told: bytes) -> Findings:
    """What was found in a piece."""
    found = from_json(told)
    counters = {name: Counter(found[name]) for name in ("labels", "error_types")}
    # Pieces of an earlier version have none.
    own = {name: kind.of_json(found[name]) for name, kind in _OWN.items() if name in found}
    return Findings(**{**found, **counters, **own})


def joined(pieces: Iterable[Findings]) -> Findings:
    """What was found in all of them."""
    whole = Findings()
    for piece in pieces:
        whole.rows += piece.rows
        whole.failed += piece.failed
        whole.warned += piece.warned
        whole.labels += piece.labels
        whole.error_types += piece.error_types
        whole.scores = [a + b for a, b in zip(whole.scores, piece.scores, strict=True)]
        whole.errors = _some(whole.errors, piece.errors)
        whole.warnings = _some(whole.warnings, piece.warnings)
        whole.stretches.add(piece.stretches)
        whole.reasons.join(piece.reasons)
        whole.notes += [note for note in piece.notes if note not in whole.notes]
    return whole


def append(file: BinaryIO, chunks: Iterable[bytes], heads: int) -> None:
    """Put a piece behind those before, without the lines that each begins with."""
    left = heads if file.tell() else 0
    for chunk in chunks:
        while left and chunk:
            _, end, chunk = chunk.partition(b"\n")
            left -= bool(end)
        file.write(chunk)


def _some(known: dict[str, str], more: dict[str, str]) -> dict[str, str]:
    both = {**known, **{name: text for name, text in more.items() if name not in known}}
    return dict(list(both.items())[:WARNINGS])
