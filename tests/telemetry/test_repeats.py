"""What is said over and over is said once, then counted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Never

import pytest
from celery.worker.consumer import consumer

from wherry.telemetry.repeats import Repeats, count_repeats


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
    assert log.said[1:] == [("WARNING", "4 times more in 60 s: lost: 4")]
    # It goes on: counted, and not said again.
    log.logger.warning("lost: %s\n%s", 5, "again soon")
    log.end_windows()
    assert log.said[2:] == [("WARNING", "1 times more in 60 s: lost: 5")]


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


def test_without_a_thread_to_count_by_each_is_said() -> None:
    def fail(_: float, __: Callable[[], None]) -> Never:
        raise RuntimeError("can't start new thread")

    logger = logging.Logger("talkative")  # noqa: LOG001 # no other may know it
    counted = Repeats(logger, timer=fail)
    record = logging.makeLogRecord({"levelno": logging.ERROR, "msg": "lost"})
    assert [counted.filter(record) for _ in range(3)] == [True] * 3


def test_of_celerys_consumer_lost_lines_are_counted_and_deleted_messages_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was in a message that it deleted is in the log alone."""
    monkeypatch.setattr(consumer.logger, "filters", [])
    monkeypatch.setattr("wherry.telemetry.repeats._in_a_while", lambda *_: None)
    count_repeats()
    [counted] = [each for each in consumer.logger.filters if isinstance(each, Repeats)]

    def passes(template: str) -> list[bool]:
        record = logging.makeLogRecord({"levelno": logging.ERROR, "msg": template})
        return [counted.filter(record) for _ in range(3)]

    for template in (consumer.CONNECTION_ERROR, consumer.CONNECTION_RETRY, "%s (%r)"):
        assert passes(template) == [True, False, False]
    for template in (
        consumer.UNKNOWN_FORMAT,
        consumer.UNKNOWN_TASK_ERROR,
        consumer.INVALID_TASK_ERROR,
        consumer.MESSAGE_DECODE_ERROR,
        "Couldn't reject %r, reason: %r",
    ):
        assert passes(template) == [True] * 3
