"""Writers that keep files open from their first row to their last."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TextIO, TypeVar

from ..rows import Origin
from .base import Moved, OutputLayout, Writer
from .categories import Categories
from .joining import Joinable, Lines, ReadPart
from .text import ERRORS

G = TypeVar("G", bound=Joinable)


class HeldFiles(Writer):
    """Closes what it holds, whether the output came to its end or not."""

    def __init__(self, path: Path, origin: Origin, layout: OutputLayout | None = None) -> None:
        super().__init__(path, origin, layout)
        self._held = ExitStack()
        #: What grows in it, by the name under which it is left.
        self._growing: dict[str, Joinable] = {}
        #: Files that are not of one row.
        self._opened: list[Path] = []
        self._is_left = False
        if self.is_folder:
            path.mkdir(parents=True, exist_ok=True)

    def close(self) -> None:
        """Make the output whole."""
        with self._held:
            if not self._is_left:
                self._finish()

    @abstractmethod
    def _finish(self) -> None:
        """Write what comes last; the files that are held are closed right after."""

    def leave(self, folder: Path) -> None:
        """Write what it has come to, of which only whole files stay in its place."""
        for name, growing in self._growing.items():
            growing.leave(folder / name)
        for file in self._opened:
            file.unlink(missing_ok=True)
        self._is_left = True

    def join(self, read: ReadPart) -> Moved | None:
        """Go on with what another writer left. Raises CannotJoin."""
        # Labels first: by them others are renumbered.
        for name in sorted(self._growing, key=lambda name: not self._is_labels(name)):
            self._growing[name].join(read(name))
        return None

    def _is_labels(self, name: str) -> bool:
        return isinstance(self._growing[name], Categories)

    def _grows(self, name: str, growing: G) -> G:
        """Have something that grows be left, and joined, under a name."""
        self._growing[name] = growing
        return growing

    def _stream(self, name: str, file: TextIO) -> TextIO:
        """The same of a text file, with all that is in it already as its head."""
        self._grows(name, Lines(file))
        return file

    def _open(self, path: Path) -> TextIO:
        """A text file to write, held until the end."""
        self._opened.append(path)
        return self._held.enter_context(
            path.open("w+", encoding="utf-8", errors=ERRORS, newline="\n")
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._held:
            super().__exit__(kind, error, trace)
