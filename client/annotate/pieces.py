"""An output in pieces: what parts of a source came to, each in the output's own format.

They are written wherever the parts are, and joined without a look at what was answered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from pydantic_core import from_json, to_json

from ...tasks.annotations.reasons import FailureReasons
from ...tasks.annotations.stretches import Stretches
from .formats import OutputLayout, Writer
from .formats.base import Moved
from .ids import Ids, first_twice, hashes_of, ids_of
from .ledger import Ledger, twice
from .output import WARNINGS, Findings, Seen, write_output
from .report import SAMPLED
from .rows import Origin
from .segments import has_samples, ids_in, sampled_of, take_in_sampled
from .written import files_below

#: What a piece's files are called, beside those that its writer leaves; and how the names begin of
#: those that are the output's own, a row's each.
ERRORS, FINDINGS, SAMPLES, IDS, FILES = "errors", "findings", "sampled", "ids", "files/"

#: Parts of findings that have a form of their own.
_OWN: Mapping[str, type[Stretches] | type[FailureReasons]] = {
    "stretches": Stretches,
    "reasons": FailureReasons,
}


class OutputPiece(NamedTuple):
    """A piece on disk."""

    folder: Path
    #: Where the output's own files are, if it is a folder of them.
    out: Path

    @property
    def files(self) -> Iterator[tuple[str, Path]]:
        """Its files, by name."""
        for file in sorted(self.folder.iterdir()):
            yield file.name, file
        for file in sorted(files_below(self.out)) if self.out.is_dir() else ():
            yield FILES + file.relative_to(self.out).as_posix(), file


def write_piece(
    ledger: Ledger,
    origin: Origin,
    writer: type[Writer],
    folder: Path,
    base: int,
    seen: Seen,
    layout: OutputLayout | None = None,
) -> tuple[OutputPiece, Findings]:
    """Write what a part's ledger has, whose first row is the source's row `base`."""
    piece = OutputPiece(folder / "piece", folder / "out")
    piece.folder.mkdir()
    errors = piece.folder / ERRORS
    findings = write_output(
        ledger, origin, writer, piece.out, errors, layout, base=base, seen=seen, part=piece.folder
    )
    _tell(piece, findings, ledger)
    return piece, findings


class StoredPiece(Protocol):
    """A piece, wherever it is."""

    @property
    def names(self) -> Collection[str]:
        """What its files are called."""
        ...

    def read(self, name: str) -> Iterator[bytes]:
        """A file of it."""
        ...

    def rows(self) -> bytes:
        """What `rows_of` made of the part's ledger."""
        ...

    def rest(self) -> None:
        """Let go of what is in memory: others are read now."""
        ...


def join_pieces(
    pieces: Sequence[StoredPiece],
    ledger: Ledger | None,
    origin: Origin,
    writer: type[Writer],
    out: Path,
    errors: Path,
    layout: OutputLayout | None = None,
) -> tuple[Findings, list[Moved | None]]:
    """Write the output and the errors of all pieces, whose rows follow each other.

    The ledger gets the rows of the report alone; None where all rows are in one already. Answers
    what each piece's own files become. Raises InvalidRequest for an id that two rows have,
    CannotJoin.
    """
    findings, moved = Findings(), list[Moved | None]()
    with ExitStack() as held:
        ids = held.enter_context(Ids(out.parent))
        failed = held.enter_context(errors.open("wb"))
        writing = held.enter_context(writer(out, origin, *([layout] if writer.uses else [])))
        for piece in pieces:
            if ledger:
                _take_in_sampled(ledger, piece, findings.rows)
                ids.add(_ids(piece))
            moved.append(writing.join(piece.read))
            _add(findings, failed, piece)
        _refuse_twice(pieces, ids.twice())
    if ledger:
        ledger.commit()
    findings.notes += writing.notes
    if not findings.failed:
        errors.unlink()
    return findings, moved


def read_findings(told: bytes) -> Findings:
    """What was found in a piece."""
    found = from_json(told)
    counters = {name: Counter(found[name]) for name in ("labels", "error_types")}
    # Pieces of an earlier version have none.
    own = {name: kind.of_json(found[name]) for name, kind in _OWN.items() if name in found}
    return Findings(**{**found, **counters, **own})


def fold_pieces(
    pieces: Sequence[StoredPiece],
    ledger: Ledger,
    origin: Origin,
    writer: type[Writer],
    folder: Path,
) -> OutputPiece:
    """Make one piece of some whose rows follow each other and are all in the ledger.

    Of a format without files of one row. Raises CannotJoin.
    """
    piece = OutputPiece(folder / "piece", folder / "out")
    piece.folder.mkdir()
    errors, findings = piece.folder / ERRORS, Findings()
    with errors.open("wb") as failed, writer(piece.out, origin) as writing:
        for each in pieces:
            writing.join(each.read)
            _add(findings, failed, each)
        writing.leave(piece.folder)
    if not findings.failed:
        errors.unlink()
    _tell(piece, findings, ledger)
    return piece


def _add(findings: Findings, failed: BinaryIO, piece: StoredPiece) -> None:
    """Take in what a piece has beside its writer's own."""
    add_findings(findings, read_findings(_whole(piece, FINDINGS)))
    failed.writelines(piece.read(ERRORS) if ERRORS in piece.names else ())
    piece.rest()


def _tell(piece: OutputPiece, findings: Findings, ledger: Ledger) -> None:
    """Write what a piece has beside its writer's own and its errors."""
    told = {field.name: getattr(findings, field.name) for field in fields(findings)}
    told |= {name: told[name].as_json() for name in _OWN}
    (piece.folder / FINDINGS).write_bytes(to_json(told))
    (piece.folder / SAMPLES).write_bytes(sampled_of(ledger))
    (piece.folder / IDS).write_bytes(ids_of(ledger))


def add_findings(whole: Findings, piece: Findings) -> None:
    """Count what was found in one more piece."""
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


def _some(known: dict[str, str], more: dict[str, str]) -> dict[str, str]:
    both = {**known, **{name: text for name, text in more.items() if name not in known}}
    return dict(list(both.items())[:WARNINGS])


def _whole(piece: StoredPiece, name: str) -> bytes:
    return b"".join(piece.read(name))


def _take_in_sampled(ledger: Ledger, piece: StoredPiece, base: int) -> None:
    sampled = _whole(piece, SAMPLES)
    rows = b"" if has_samples(sampled) else piece.rows()
    take_in_sampled(ledger, sampled, rows, base, SAMPLED)


def _ids(piece: StoredPiece) -> bytes:
    """Hashes of a piece's ids; one of an earlier version has none."""
    return _whole(piece, IDS) if IDS in piece.names else hashes_of(ids_in(piece.rows()))


def _refuse_twice(pieces: Sequence[StoredPiece], hashes: set[bytes]) -> None:
    id_ = first_twice((ids_in(piece.rows()) for piece in pieces), hashes) if hashes else None
    if id_ is not None:
        raise twice(repr(id_))
