"""Where a run's files go, and what may be replaced there: what the ledger says that a run wrote.

A run writes everything in a folder of its own, whose name the ledger knows before it is there. When
all is whole, each file is put in its place by a rename. Files are told by size and time, or by
their digest: one that was edited is its editor's.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic_core import from_json, to_json

from ...protocol.errors import InvalidRequest
from ..errors import UsageError
from .ledger import Ledger, WrittenFile

#: What may lie beside OUT, by what follows its name.
ERRORS, REPORT, PAGE, _LEDGER = "errors.jsonl", "report.json", "report.html", "ledger"

#: What is noted in the ledger: the folder of a run that has not ended, and what made the output.
_HALF, _MADE = "half", "made"


def beside(out: Path, suffix: str) -> Path:
    """A file that belongs to an output."""
    return out.with_name(f"{out.name}.{suffix}")


def ledger_path(out: Path) -> Path:
    """Where an output's ledger is."""
    return beside(out, _LEDGER)


def all_paths(out: Path) -> tuple[Path, ...]:
    """Every path that a run may write: a folder's own files are below the first."""
    return (out, *(beside(out, suffix) for suffix in (ERRORS, REPORT, PAGE, _LEDGER)))


def named(out: Path) -> Path:
    """The output's path. Raises UsageError for one without a name of its own, or a URL."""
    if out.name in ("", ".."):
        raise UsageError(f"out {str(out)!r}: name a file or folder of its own, as in ./labels")
    if out.parts[0].endswith(":") and not out.drive:
        raise UsageError(f"out {str(out)!r}: is written on this machine: name a path, no URL")
    return out


class Placing:
    """Holds one output's ledger, and puts its files in their places. Use it in a `with` block."""

    def __init__(
        self, out: Path, made: Mapping[str, Any], *, is_folder: bool, overwrite: bool
    ) -> None:
        """`made` is what makes the output."""
        self._out, self._overwrite, self._is_folder = out, overwrite, is_folder
        self._made = to_json(made, inf_nan_mode="constants")
        self._ledger: Ledger | None = None

    def __enter__(self) -> Self:
        """Open the ledger. Raises InvalidRequest where the run would replace what it may not."""
        path = ledger_path(self._out)
        if not path.exists():
            self._check()  # before anything is made
        self._out.parent.mkdir(parents=True, exist_ok=True)
        self._ledger = Ledger(path)
        try:
            self._check()
        except BaseException:
            self._ledger.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.ledger.close()

    @property
    def ledger(self) -> Ledger:
        """What is done; inside the `with` block."""
        if self._ledger is None:
            raise ValueError("the ledger is not open")
        return self._ledger

    # --- before a run ---

    def _check(self) -> None:
        out = self._out
        if os.path.lexists(out):
            self._refuse_unfit()
        if self._overwrite:
            return
        foreign = next((p for p in self._known() if self._is_foreign(p)), None)
        if foreign is not None:
            raise InvalidRequest(_foreign(foreign))
        if self._is_folder and out.is_dir() and any(out.iterdir()) and not self._has_ours():
            raise InvalidRequest(
                f"{out}: is a folder with files that are not this output's; name another, or let "
                f"--overwrite write among them"
            )
        self._refuse_other()

    def _refuse_unfit(self) -> None:
        """Raise InvalidRequest for what no run could replace."""
        out = self._out
        if out.is_dir() != self._is_folder:
            found, kind = ("folder", "file") if out.is_dir() else ("file", "folder")
            raise InvalidRequest(f"{out}: is a {found}, and this format writes a {kind}")
        if self._is_folder and out.stat().st_dev != out.parent.stat().st_dev:
            raise InvalidRequest(
                f"{out}: is on another disk than {out.parent}: name a folder in it"
            )
        if out.exists() and not (out.is_dir() or out.is_file()):
            raise InvalidRequest(f"{out}: is no file")

    def _known(self) -> Iterator[Path]:
        """The places that are known before the rows are."""
        yield from (beside(self._out, suffix) for suffix in (ERRORS, REPORT, PAGE))
        if not self._is_folder:
            yield self._out
        elif self._ledger:
            yield from map(self._path, self._ledger.written_paths())

    def _has_ours(self) -> bool:
        """Whether anything in the folder is ours."""
        paths = self._ledger.written_paths() if self._ledger else ()
        return any(
            os.path.lexists(self._path(p)) for p in paths if self._out in self._path(p).parents
        )

    def _refuse_other(self) -> None:
        noted = self._ledger.meta(_MADE) if self._ledger else ""
        if not noted or not os.path.lexists(self._out):
            return
        before, now = from_json(noted), from_json(self._made)
        others = [
            f"{name} {_short(before.get(name))} -> {_short(now[name])}"
            for name in now
            if before.get(name) != now[name]
        ]
        if others:
            raise InvalidRequest(
                f"{self._out}: another run's answers would be replaced ({'; '.join(others)}): "
                f"name another output, or --overwrite this one"
            )

    # --- after it ---

    @contextmanager
    def half(self) -> Iterator[Path]:
        """A new folder to write the files in, under the names that they will have beside OUT."""
        self._drop_half()
        name = f".wherry-{secrets.token_hex(8)}.half"
        self.ledger.set_meta(_HALF, name)
        self.ledger.commit()
        try:
            (self._out.parent / name).mkdir()
            yield self._out.parent / name
        finally:
            self._drop_half()

    def _drop_half(self) -> None:
        name = self.ledger.meta(_HALF)
        if name:
            shutil.rmtree(self._out.parent / name, ignore_errors=True)
            self.ledger.set_meta(_HALF, "")

    def place(self, half: Path) -> None:
        """Put all files in their places, and remove those of earlier runs that have none any more.

        Raises InvalidRequest, before anything is touched, where something else stands in the way.
        """
        ledger = self.ledger
        ledger.begin_writing()
        replaced = (self._replaced(file, half) for file in _files(half))
        self._refuse_rows({(found.st_dev, found.st_ino) for found in replaced if found})
        for file in _files(half):
            self._note(file, half)
        ledger.set_meta(_MADE, self._made.decode())
        ledger.commit()  # whatever happens from here on: what is ours is known
        self._remove_stale()
        whole = half / self._out.name
        if self._is_folder and not os.path.lexists(self._out):
            whole.replace(self._out)  # seen at once
        for noted in ledger.written_paths(new=True):
            file, place = half / os.fsdecode(noted), self._path(noted)
            if file.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                file.replace(place)
        ledger.end_writing()
        ledger.commit()

    def _note(self, file: Path, half: Path) -> None:
        """Note a new file; one that is in its place already stays: a rename over it is slow."""
        new = _written(file, half)
        for before in self.ledger.written(new.path):
            if before.digest == new.digest and _is_at(self._path(new.path), before):
                file.unlink()
                new = before
        self.ledger.note_written(new)

    def _replaced(self, file: Path, half: Path) -> os.stat_result | None:
        """The file of somebody else that is to be replaced. Raises InvalidRequest."""
        top, place = self._out.parent, self._out.parent / file.relative_to(half)
        for folder in place.parents:
            if folder in (top, self._out):
                break
            is_in_the_way = folder.is_symlink() or (folder.exists() and not folder.is_dir())
            if is_in_the_way and self._is_foreign(folder):
                raise InvalidRequest(f"{folder}: is in the way of {place}: move it")
        if place.is_dir() and not place.is_symlink():
            if any(self._is_foreign(inner) for inner in _files(place)):
                raise InvalidRequest(f"{place}: a folder is in the way of a file: move it")
            return None
        if not self._is_foreign(place):
            return None
        if not self._overwrite:
            raise InvalidRequest(_foreign(place))
        return place.stat() if place.exists() else None

    def _refuse_rows(self, identities: Set[tuple[int, int]]) -> None:
        """Raise InvalidRequest where a file that would be replaced is a row's own."""
        if not identities:
            return
        for path in self.ledger.paths():
            try:
                found = Path(path).stat()
            except (OSError, ValueError):
                continue
            if (found.st_dev, found.st_ino) in identities:
                raise InvalidRequest(f"{path}: is a row of the source and would be replaced")

    def _remove_stale(self) -> None:
        for noted in self.ledger.written_paths(new=False):
            path = self._path(noted)
            if os.path.lexists(path) and not self._is_foreign(path):
                path.unlink()
                self._remove_empty(path.parent)

    def _remove_empty(self, folder: Path) -> None:
        """Remove folders that have become empty, below OUT."""
        while self._out in folder.parents and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent

    # --- what is whose ---

    def _path(self, noted: bytes) -> Path:
        return self._out.parent / os.fsdecode(noted)

    def _is_foreign(self, path: Path) -> bool:
        """Whether something is there that no run left as it is."""
        try:
            found = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        if self._ledger is None or not stat.S_ISREG(found.st_mode):
            return True
        noted = self._ledger.written(_noted(path, self._out.parent))
        same = [file for file in noted if file.bytes == found.st_size]
        if any(file.mtime_ns == found.st_mtime_ns for file in same):
            return False
        return not same or _digest(path) not in {file.digest for file in same}


def _files(folder: Path) -> Iterator[Path]:
    """Every file below a folder, in no order."""
    with os.scandir(folder) as found:
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry.path))
            else:
                yield Path(entry.path)


def _written(file: Path, half: Path) -> WrittenFile:
    found = file.stat()
    return WrittenFile(_noted(file, half), _digest(file), found.st_size, found.st_mtime_ns)


def _is_at(path: Path, file: WrittenFile) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    at = (found.st_size, found.st_mtime_ns)
    return stat.S_ISREG(found.st_mode) and at == (file.bytes, file.mtime_ns)


def _noted(path: Path, top: Path) -> bytes:
    return os.fsencode(path.relative_to(top).as_posix())


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()


def _foreign(path: Path) -> str:
    return (
        f"{path}: is there, and not as a run of this output left it: move it, name another output, "
        f"or let --overwrite replace it"
    )


def _short(value: object) -> str:
    text = to_json(value).decode()
    return text if len(text) <= 200 else f"{text[:200]}…"
