"""What is said over and over is said once, then counted."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

#: Seconds in which the same is counted before its count is said.
_WINDOW_S = 60.0

#: Celery's consumer, which says of each of its tries that the line is lost, eight times a second,
#: by how these templates begin, over its versions. What it says of messages is said each time: it
#: has deleted them, and nobody else has what was in them.
_TALKATIVE = {
    "celery.worker.consumer.consumer": (
        "consumer: Connection to broker lost",
        "consumer: Cannot connect",
        "%s (%r)",
    ),
    "kombu.connection": ("",),
}


class Repeats(logging.Filter):
    """Lets the first of a message pass; how many more there were is said once a window.

    Messages are the same that have one template and level: what stands in them may differ. Those
    are counted whose templates begin in one of some ways.
    """

    def __init__(
        self,
        logger: logging.Logger,
        window_s: float = _WINDOW_S,
        timer: Callable[[float, Callable[[], None]], None] | None = None,
        begins: tuple[str, ...] = ("",),
    ) -> None:
        super().__init__()
        self._logger, self._begins, self._window_s = logger, begins, window_s
        self._later = timer or _in_a_while
        self._lock = threading.Lock()
        #: Of each window that is open: how many more came, and what the last said.
        self._more: dict[tuple[int, str], tuple[int, logging.LogRecord]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is said now."""
        kind = record.levelno, str(record.msg)
        if record.levelno < logging.WARNING or hasattr(record, "repeats"):
            return True
        if not kind[1].startswith(self._begins):
            return True
        with self._lock:
            if kind in self._more:
                self._more[kind] = self._more[kind][0] + 1, record
                return False
            self._more[kind] = 0, record
        self._open(kind)
        return True

    def _open(self, kind: tuple[int, str]) -> None:
        try:
            self._later(self._window_s, lambda: self._close(kind))
        except RuntimeError:  # no thread can be begun: nothing is counted then
            with self._lock:
                self._more.pop(kind, None)

    def _close(self, kind: tuple[int, str]) -> None:
        """End a window; where it had more of the same another begins."""
        with self._lock:
            more, last = self._more.pop(kind)
            if more:
                self._more[kind] = 0, last
        if not more:
            return
        said = last.getMessage().strip().splitlines()
        self._logger.log(
            last.levelno,
            "%d times more in %g s: %s",
            more,
            self._window_s,
            said[0] if said else "",
            extra={"repeats": more},
        )
        self._open(kind)


def _in_a_while(after_s: float, call: Callable[[], None]) -> None:
    timer = threading.Timer(after_s, call)
    timer.name, timer.daemon = "wherry-repeats", True
    timer.start()


def count_repeats() -> None:
    """Have what is known to repeat itself be counted in this process."""
    for name, begins in _TALKATIVE.items():
        logger = logging.getLogger(name)
        if not any(isinstance(each, Repeats) for each in logger.filters):
            logger.addFilter(Repeats(logger, begins=begins))
