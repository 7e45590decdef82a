"""One log of all services."""

from __future__ import annotations

import logging
import re
import threading
from logging.handlers import RotatingFileHandler
from pathlib import Path

from rich.console import Console
from rich.text import Text

from .json_lines import JsonLog, object_of

_COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_red")

#: Lines of services that start or end as they should, about which nobody can do anything here.
_IDLE = re.compile(
    r"Inspect method \w+ failed"  # Flower's, until the workers answer it
    r"|Memory overcommit must be enabled"  # Redis's, of a fork that a full machine may refuse
    r"|Received SIGTERM scheduling shutdown|is now ready to exit, bye bye"
    r"|^worker: Warm shutdown"
)

#: Bytes of a log file, of which an older one is kept.
_FILE_BYTES = 10_000_000


class LogView:
    """Prints each line behind its service's name, in the service's colour. Threads share it.

    With `file`, every line is kept there too, and what nobody can act on only there. A console of
    JSON gets objects.
    """

    def __init__(self, console: Console, file: Path | None = None) -> None:
        self._console, self.file = console, file
        self._handler: logging.Handler | None = None
        self._colours: dict[str, str] = {}
        self._lock = threading.Lock()

    def __call__(self, service: str, line: str) -> None:
        """Print a service's line."""
        if not line.strip():
            return
        with self._lock:
            told = object_of(line)
            if self._is_shown(service, line) and _IDLE.search(told["message"] if told else line):
                return
            if isinstance(self._console.file, JsonLog):
                self._console.file.say(service, line)
                return
            colour = self._colours.setdefault(service, _COLOURS[len(self._colours) % len(_COLOURS)])
            self._console.print(Text.assemble((f"{service:14} ", colour), line))

    def _is_shown(self, service: str, line: str) -> bool:
        """Write a line into the file, once its folder is there. Answers whether it was."""
        try:
            if self._handler is None:
                if self.file is None or not self.file.parent.is_dir():
                    return False
                self._handler = _Handler(self.file, maxBytes=_FILE_BYTES, backupCount=1)
                self._handler.setFormatter(logging.Formatter("%(asctime)s %(name)-14s %(message)s"))
            self._handler.emit(logging.makeLogRecord({"name": service, "msg": line}))
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close the file."""
        if self._handler is not None:
            self._handler.close()


class _Handler(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 # logging's name
        """Raise what the disk says: lines are printed then."""
        _ = record
        raise  # logging calls it while it handles the error
