"""What stands where an output is to be; what may not be replaced is refused before any row."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json

from ...protocol.errors import InvalidRequest
from ..errors import UsageError
from .places import ERRORS, PAGE, REPORT, beside
from .written import WrittenFiles, files_below

#: Device and inode.
_Identity = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a run would replace."""

    #: Files there that earlier runs wrote: they are replaced, or go where their rows have left.
    replaces: int
    #: Others that are replaced, those that are known before the rows.
    overwrites: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One output's place, and what its ledger says of it."""

    out: Path
    is_folder: bool
    #: Names in a folder that may be written; () for any.
    names: tuple[str, ...]
    overwrite: bool
    files: WrittenFiles

    def refuse(self, before: str, made: bytes, source_files: Iterable[str]) -> None:
        """Raise InvalidRequest for what a run may not replace, UsageError for its source.

        `before` and `made` are what made the output that is there, and what is to: JSON.
        """
        if os.path.lexists(self.out):
            self._refuse_unfit()
        if self.overwrite:
            self._refuse_source(source_files)
            return
        strange = next(self._foreign(), None)
        if strange is not None:
            raise InvalidRequest(foreign(strange))
        out = self.out
        if self.is_folder and out.is_dir() and any(out.iterdir()) and not any(self._ours()):
            raise InvalidRequest(
                f"{out}: is a folder with files that are not this output's; name another, or let "
                f"--overwrite write among them"
            )
        if before and os.path.lexists(out):
            self._refuse_other(from_json(before), from_json(made))

    def outlook(self) -> Outlook:
        """What a run would replace, after `refuse`."""
        return Outlook(
            replaces=sum(map(self._is_own, self.files.places())),
            overwrites=tuple(self._foreign()),
        )

    def _refuse_unfit(self) -> None:
        """Raise InvalidRequest for what no run could replace."""
        out = self.out
        if out.is_dir() != self.is_folder:
            found, kind = ("folder", "file") if out.is_dir() else ("file", "folder")
            raise InvalidRequest(f"{out}: is a {found}, and this format writes a {kind}")
        if self.is_folder and out.stat().st_dev != out.parent.stat().st_dev:
            raise InvalidRequest(
                f"{out}: is on another disk than {out.parent}: name a folder in it"
            )
        if out.exists() and not (out.is_dir() or out.is_file()):
            raise InvalidRequest(f"{out}: is no file")
        for folder in map(out.joinpath, self.names if self.is_folder else ()):
            if folder.is_symlink() and folder.is_dir():
                raise InvalidRequest(f"{folder}: is a link where files are to be written: move it")

    def _refuse_source(self, source_files: Iterable[str]) -> None:
        """Raise UsageError where a link, hard or soft, leads from here to a file of the source."""
        links = dict(self._links())
        if not links:
            return
        for file in source_files:
            found = _identity(Path(file))
            if found in links:
                raise UsageError(
                    f"out {str(links[found])!r} leads to a file of the source, {file}: remove it, "
                    f"or name another output"
                )

    def _refuse_other(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        others = [
            f"{name} {_short(before.get(name))} -> {_short(now[name])}"
            for name in now
            if before.get(name) != now[name]
        ]
        if others:
            raise InvalidRequest(
                f"{self.out}: another run's answers would be replaced ({'; '.join(others)}): "
                f"name another output, or --overwrite this one"
            )

    # --- what is there ---

    def _besides(self) -> Iterator[Path]:
        return (beside(self.out, suffix) for suffix in (ERRORS, REPORT, PAGE))

    def _foreign(self) -> Iterator[Path]:
        """What is no run's at the places that are known before the rows are."""
        inside = self.files.places() if self.is_folder else (self.out,)
        return filter(self.files.is_foreign, chain(self._besides(), inside))

    def _is_own(self, place: Path) -> bool:
        return os.path.lexists(place) and not self.files.is_foreign(place)

    def _ours(self) -> Iterator[Path]:
        """What runs wrote in the folder, and is there."""
        inside = (place for place in self.files.places() if self.out in place.parents)
        return filter(os.path.lexists, inside)

    def _links(self) -> Iterator[tuple[_Identity, Path]]:
        """Links, and files that have other names too, where something may be written."""
        at_out = self._written_below() if self.is_folder else (self.out,)
        for path in chain(self._besides(), at_out):
            try:
                found = path.lstat()
            except OSError:
                continue
            is_link = stat.S_ISLNK(found.st_mode) or found.st_nlink > 1
            if is_link and self.files.is_foreign(path):  # a run links pictures itself
                identity = _identity(path)
                if identity:
                    yield identity, path

    def _written_below(self) -> Iterator[Path]:
        """Files and links of the folder where the format writes."""
        for top in map(self.out.joinpath, self.names) if self.names else (self.out,):
            if top.is_dir() and not top.is_symlink():
                yield from files_below(top)
            else:
                yield top


def _identity(path: Path) -> _Identity | None:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def foreign(path: Path) -> str:
    """What is said of a file that no run wrote."""
    return (
        f"{path}: is there, and not as a run of this output left it: move it, name another output, "
        f"or let --overwrite replace it"
    )


def _short(value: object) -> str:
    text = to_json(value).decode()
    return text if len(text) <= 200 else f"{text[:200]}…"
