"""Puts a run's files in their places, and removes those of earlier runs that have none any more.

A run writes everything in a folder of its own, whose name the ledger knows before it is there. When
all is whole, each file is put in its place by a rename.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic_core import to_json

from ...protocol.errors import InvalidRequest
from .ledger import Ledger
from .places import ledger_path
from .standing import Outlook, Standing, foreign
from .written import files_below

#: What is noted in the ledger: the folder of a run that has not ended, and what made the output.
_HALF, _MADE = "half", "made"


class Placing:
    """Holds one output's ledger, and puts its files in their places. Use it in a `with` block."""

    def __init__(
        self,
        out: Path,
        made: Mapping[str, Any],
        *,
        is_folder: bool,
        overwrite: bool,
        names: tuple[str, ...] = (),
        source_files: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        """`made` is what makes the output, `names` what may be written in a folder, () for any.

        `source_files` are those that are known before the rows are.
        """
        self._out, self._overwrite, self._is_folder = out, overwrite, is_folder
        self._names, self._source_files = names, source_files
        self._made = to_json(made, inf_nan_mode="constants")
        self._ledger: Ledger | None = None

    def __enter__(self) -> Self:
        """Open the ledger. Raises InvalidRequest where the run would replace what it may not."""
        path = ledger_path(self._out)
        if not path.exists():
            self.look()  # before anything is made
        self._out.parent.mkdir(parents=True, exist_ok=True)
        self._ledger = Ledger(path)
        try:
            self._standing(self._ledger)
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

    def look(self) -> Outlook:
        """What the run would replace; makes nothing. Raises what it would before its first row."""
        with Ledger(ledger_path(self._out), make=False) as ledger:
            return self._standing(ledger).outlook()

    def _standing(self, ledger: Ledger) -> Standing:
        """What stands there. Raises InvalidRequest where it may not be replaced."""
        standing = Standing(
            out=self._out,
            is_folder=self._is_folder,
            names=self._names,
            overwrite=self._overwrite,
            files=ledger.files,
        )
        standing.refuse(ledger.meta(_MADE), self._made, self._source_files())
        return standing

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
        ledger, files = self.ledger, self.ledger.files
        files.begin()
        replaced = (self._replaced(self._place_of(file, half)) for file in files_below(half))
        self._refuse_rows({(found.st_dev, found.st_ino) for found in replaced if found})
        for file in files_below(half):
            if files.note(file, self._place_of(file, half)):
                file.unlink()  # it is there: a rename over it is slow
        ledger.set_meta(_MADE, self._made.decode())
        ledger.commit()  # whatever happens from here on: what is ours is known
        self._remove_stale()
        whole = half / self._out.name
        if self._is_folder and not os.path.lexists(self._out):
            whole.replace(self._out)  # seen at once
        for place in files.places(new=True):
            file = half / place.relative_to(self._out.parent)
            if os.path.lexists(file):
                place.parent.mkdir(parents=True, exist_ok=True)
                file.replace(place)
        files.end()
        ledger.commit()

    def _place_of(self, file: Path, half: Path) -> Path:
        return self._out.parent / file.relative_to(half)

    def _replaced(self, place: Path) -> os.stat_result | None:
        """The file of somebody else that is to be replaced. Raises InvalidRequest."""
        is_foreign = self.ledger.files.is_foreign
        for folder in place.parents:
            if folder in (self._out.parent, self._out):
                break
            is_in_the_way = folder.is_symlink() or (folder.exists() and not folder.is_dir())
            if is_in_the_way and is_foreign(folder):
                raise InvalidRequest(f"{folder}: is in the way of {place}: move it")
        if place.is_dir() and not place.is_symlink():
            if any(map(is_foreign, files_below(place))):
                raise InvalidRequest(f"{place}: a folder is in the way of a file: move it")
            return None
        if not is_foreign(place):
            return None
        if not self._overwrite:
            raise InvalidRequest(foreign(place))
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
        files = self.ledger.files
        for path in files.places(new=False):
            if os.path.lexists(path) and not files.is_foreign(path):
                path.unlink()
                self._remove_empty(path.parent)

    def _remove_empty(self, folder: Path) -> None:
        """Remove folders that have become empty, below OUT."""
        while self._out in folder.parents and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent
