"""What rows say while they are written: when it is sent, and what becomes of what was not."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest

from wherry.jobs.group import Group
from wherry.jobs.record import ClaimedJob
from wherry.protocol.errors import QueueFull
from wherry.tasks.text.tokens import Chunk, Token
from wherry.workers.token_sender import TokenSender

#: Longer than between two sendings, and longer than until one after another failed.
SOON_S, LATER_S = 0.05, 6.0


def job(name: str) -> ClaimedJob:
    return ClaimedJob(
        id=name,
        group=Group("text", "generation", "1"),
        attempt=1,
        rows=2,
        header_length=0,
        payload_key="",
        payload_ref="",
        created_at_ms=0,
    )


def token(text: str) -> Token:
    return Token(id=1, text=text, logprob=None)


class Told:
    """A batch's token sender by the clock, and what was sent: job, row, how many before, text."""

    def __init__(self) -> None:
        self.now_s, self.tries = 10.0, 0
        self.sent: list[list[tuple[str, int, int, str]]] = []
        self.unwanted: frozenset[str] = frozenset()
        self.away = False
        self.sender = TokenSender(self._send, clock=lambda: self.now_s)

    def _send(self, said: Sequence[tuple[ClaimedJob, bytes]]) -> frozenset[str]:
        self.tries += 1
        if self.away:
            raise QueueFull
        chunks = [(each.id, Chunk.model_validate_json(text)) for each, text in said]
        self.sent.append([(name, c.row, c.at, c.text) for name, c in chunks])
        return self.unwanted


@pytest.fixture
def told() -> Told:
    return Told()


def test_a_first_token_goes_at_once_and_later_ones_together(told: Told) -> None:
    hear = told.sender.listener(job("a"), 0)
    for text in "abc":
        assert hear(token(text))
    assert told.sent == [[("a", 0, 0, "a")]]
    told.now_s += SOON_S
    hear(token("d"))
    assert told.sent[1:] == [[("a", 0, 1, "bcd")]]


def test_rows_of_a_batch_go_in_one_message(told: Told) -> None:
    hears = [told.sender.listener(job(name), row) for name, row in (("a", 0), ("a", 1), ("b", 0))]
    for hear in hears:
        hear(token("x"))
    told.now_s += SOON_S
    hears[0](token("y"))
    assert told.sent[1] == [("a", 0, 1, "y"), ("a", 1, 0, "x"), ("b", 0, 0, "x")] or told.sent[
        1
    ] == [("a", 1, 0, "x"), ("b", 0, 0, "x"), ("a", 0, 1, "y")]


def test_the_end_sends_what_is_left_and_nothing_twice(told: Told) -> None:
    hear = told.sender.listener(job("a"), 0)
    for text in "ab":
        hear(token(text))
    told.sender.flush()
    told.sender.flush()
    assert told.sent == [[("a", 0, 0, "a")], [("a", 0, 1, "b")]]


def test_what_could_not_be_sent_comes_with_what_follows(told: Told) -> None:
    told.away = True
    hear = told.sender.listener(job("a"), 0)
    for text in "abc":
        assert hear(token(text)), "the row goes on"
        told.now_s += LATER_S
    told.away = False
    hear(token("d"))
    assert told.sent == [[("a", 0, 0, "abcd")]]


def test_a_queue_that_is_away_holds_the_model_up_now_and_then_and_is_told_of_once(
    told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    told.away = True
    hear = told.sender.listener(job("a"), 0)
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            hear(token("x"))
            told.now_s += SOON_S
        assert told.tries == 1, "of five seconds"
        assert len(caplog.records) == 1
        told.away = False
        told.sender.flush()
        told.away = True
        told.sender.flush()
        hear(token("x"))
        told.sender.flush()
        assert len(caplog.records) == 2, "another outage is told of too"


def test_a_row_that_nobody_wants_is_told_so_and_others_go_on(told: Told) -> None:
    told.unwanted = frozenset({"a"})
    unwanted, wanted = told.sender.listener(job("a"), 0), told.sender.listener(job("b"), 0)
    assert not unwanted(token("x"))
    assert wanted(token("x"))
    told.now_s, told.unwanted = told.now_s + SOON_S, frozenset()
    assert wanted(token("y"))
    assert not unwanted(token("y")), "once is for good"


@pytest.mark.parametrize("sent_s", [0.0, SOON_S])
def test_a_row_that_is_run_anew_counts_anew(told: Told, sent_s: float) -> None:
    """A batch that ran out of memory is halved, and its rows begin again."""
    hear = told.sender.listener(job("a"), 0)
    for text in "ab":
        hear(token(text))
        told.now_s += sent_s
    again = told.sender.listener(job("a"), 0)
    again(token("A"))
    told.sender.flush()
    assert told.sent[-1] == [("a", 0, 0, "A")]
