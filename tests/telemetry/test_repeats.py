"""What is said over and over is said once, then counted."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from wherry.telemetry.repeats import Repeats


class Log:
    """A logger with such a filter, and windows that end when they are told to."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []
        self._ends: list[Callable[[], None]] = []
        self.logger = logging.Logger("talkative")  # noqa: LOG001 # no other may know it
        handler = logging.Handler()
        handler.emit = lambda record: self.said.append(  # type: ignore[method-assign] # a note
            (record.levelname, record.getMessage())
        )
        self.logger.addHandler(handler)
        self.logger.addFilter(Repeats(self.logger, 60, lambda _, end: self._ends.append(end)))

    def end_windows(self) -> None:
        ends, self._ends = self._ends, []
        for end in ends:
            end()

    @property
    def windows(self) -> int:
        return len(self._ends)


@pytest.fixture
def log() -> Log:
    return Log()


def test_the_first_is_said_and_the_others_counted(log: Log) -> None:
    for number in range(5):
        log.logger.warning("lost: %s\n%s", number, "again soon")
    assert log.said == [("WARNING", "lost: 0\nagain soon")]
    log.end_windows()
    assert log.said[1:] == [("WARNING", "4 times more in 60 s: lost: 0")]
    # It goes on: counted, and not said again.
    log.logger.warning("lost: %s\n%s", 5, "again soon")
    log.end_windows()
    assert log.said[2:] == [("WARNING", "1 times more in 60 s: lost: 0")]


def test_what_was_over_for_a_window_is_news_again(log: Log) -> None:
    log.logger.warning("lost")
    log.end_windows()
    assert log.windows == 0
    log.logger.warning("lost")
    assert log.said == [("WARNING", "lost")] * 2


def test_others_are_not_counted_together(log: Log) -> None:
    log.logger.warning("lost")
    log.logger.error("lost")
    log.logger.warning("found")
    for _ in range(3):
        log.logger.info("as usual")
    assert [message for _, message in log.said] == ["lost", "lost", "found", *["as usual"] * 3]
