"""What is said over and over is said once, then counted."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

#: Seconds in which the same is counted before its count is said.
_WINDOW_S = 60.0

#: Celery's consumer, which says of each of its tries that the line is lost, eight times a second.
_TALKATIVE = ("celery.worker.consumer.consumer", "kombu.connection")


class Repeats(logging.Filter):
    """Lets the first of a message pass; how many more there were is said once a window.

    Messages are the same that have one template and level: what stands in them may differ.
    """

    def __init__(
        self,
        logger: logging.Logger,
        window_s: float = _WINDOW_S,
        timer: Callable[[float, Callable[[], None]], None] | None = None,
    ) -> None:
        super().__init__()
        self._logger, self._window_s = logger, window_s
        self._later = timer or _in_a_while
        self._lock = threading.Lock()
        #: How many more came in the window that is open.
        self._more: dict[tuple[int, str], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is said now."""
        kind = record.levelno, str(record.msg)
        if record.levelno < logging.WARNING or hasattr(record, "repeats"):
            return True
        with self._lock:
            if kind in self._more:
                self._more[kind] += 1
                return False
            self._more[kind] = 0
        self._later(self._window_s, lambda: self._close(kind, record))
        return True

    def _close(self, kind: tuple[int, str], first: logging.LogRecord) -> None:
        """End a window; where it had more of the same another begins."""
        with self._lock:
            more = self._more[kind]
            if more:
                self._more[kind] = 0
            else:
                del self._more[kind]
        if not more:
            return
        said = first.getMessage().strip().splitlines()
        self._logger.log(
            first.levelno,
            "%d times more in %g s: %s",
            more,
            self._window_s,
            said[0] if said else "",
            extra={"repeats": more},
        )
        self._later(self._window_s, lambda: self._close(kind, first))


def _in_a_while(after_s: float, call: Callable[[], None]) -> None:
    timer = threading.Timer(after_s, call)
    timer.name, timer.daemon = "wherry-repeats", True
    timer.start()


def count_repeats() -> None:
    """Have what is known to repeat itself be counted in this process."""
    for name in _TALKATIVE:
        logger = logging.getLogger(name)
        if not any(isinstance(each, Repeats) for each in logger.filters):
            logger.addFilter(Repeats(logger))
