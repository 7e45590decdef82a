"""One log of all services."""

from __future__ import annotations

import threading

from rich.console import Console
from rich.text import Text

_COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_red")


class LogView:
    """Prints each line behind its service's name, in the service's colour. Threads share it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._colours: dict[str, str] = {}
        self._lock = threading.Lock()

    def __call__(self, service: str, line: str) -> None:
        """Print a service's line."""
        if not line.strip():
            return
        with self._lock:
            colour = self._colours.setdefault(service, _COLOURS[len(self._colours) % len(_COLOURS)])
            self._console.print(Text.assemble((f"{service:14} ", colour), line))
