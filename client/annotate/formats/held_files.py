"""Writers that keep files open from their first row to their last."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO

from ..rows import Origin
from .base import OutputLayout, Writer
from .text import ERRORS


class HeldFiles(Writer):
    """Closes what it holds, whether the output came to its end or not."""

    def __init__(self, path: Path, origin: Origin, layout: OutputLayout | None = None) -> None:
        super().__init__(path, origin, layout)
        self._held = ExitStack()
        if self.is_folder:
            path.mkdir(parents=True, exist_ok=True)

    def close(self) -> None:
        """Make the output whole."""
        with self._held:
            self._finish()

    @abstractmethod
    def _finish(self) -> None:
        """Write what comes last; the files that are held are closed right after."""

    def _open(self, path: Path) -> IO[str]:
        """A text file to write, held until the end."""
        return self._held.enter_context(
            path.open("w", encoding="utf-8", errors=ERRORS, newline="\n")
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._held:
            super().__exit__(kind, error, trace)
