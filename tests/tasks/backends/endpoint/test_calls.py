from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from wherry.protocol.errors import BackendError, RowError
from wherry.tasks.backends.base import NotAnsweredError
from wherry.tasks.backends.endpoint.calls import BatchCalls, Calls
from wherry.tasks.backends.endpoint.faults import (
    AwayError,
    BrokenError,
    EndpointBusyError,
)
from wherry.tasks.backends.endpoint.protocols.base import Hear, Protocol, Told
from wherry.tasks.backends.endpoint.rates import Allowance, Limits, Prices, Spending
from wherry.tasks.backends.endpoint.window import RequestWindow
from wherry.tasks.base import TaskInput
from wherry.tasks.registry import get_task
from wherry.tasks.text.generation import Generation
from wherry.tasks.text.text_generation import TextGenerationInput, TextGenerationOutput
from wherry.tasks.text.tokens import Token

#: What a server does with a request: the texts of its rows, and who hears them.
Serve = Callable[[Sequence[str], Hear | None], Awaitable[None]]


class Scripted(Protocol):
    """Rows that go as a test says: each answer is the row's own text."""

    def __init__(self, serve: Serve, together: int = 1) -> None:
        self.task, self._serve, self._together = get_task("text-generation"), serve, together
        self.asked: list[list[str]] = []
        self.looks: list[Exception | None] = []

    async def look(self) -> None:
        if self.looks and (fault := self.looks.pop(0)) is not None:
            raise fault

    def units(self, rows: Sequence[TaskInput], heard: Sequence[bool]) -> list[list[int]]:
        places, size = list(range(len(rows))), self._together
        return [places[at : at + size] for at in range(0, len(places), size)]

    async def ask(self, rows: Sequence[TaskInput], hear: Hear | None) -> Told:
        texts = [row.texts[0] for row in rows if isinstance(row, TextGenerationInput)]
        self.asked.append(texts)
        await self._serve(texts, hear)
        return Told([written(text) for text in texts], 2, 3)

    async def close(self) -> None: ...


def written(text: str) -> TextGenerationOutput:
    told = Generation(text=text, finish_reason="stop", prompt_tokens=2, completion_tokens=3)
    return TextGenerationOutput(generations=[told])


def calls_of(
    protocol: Protocol, *, patience_s: float = 30.0, prices: Prices | None = None
) -> Calls:
    limits = Limits(Allowance(0), Allowance(0), Spending(prices or Prices()))
    return Calls(protocol, RequestWindow(16), limits, patience_s=patience_s, first_pause_s=0.001)


def asked(
    calls: Calls, texts: str, tell: Callable[[int, Token], None] = lambda _, __: None
) -> BatchCalls:
    """The batch of one row a letter."""

    async def run() -> BatchCalls:
        rows = [TextGenerationInput(texts=[text]) for text in texts]
        try:
            return await calls.batch(rows, [True] * len(rows), lambda row, token: tell(row, token))
        finally:
            await calls.close()

    return asyncio.run(run())


def failing(*faults: Exception | None) -> Serve:
    """Raise these in turn, and then no more."""
    left = list(faults)

    async def serve(texts: Sequence[str], hear: Hear | None) -> None:
        if left and (fault := left.pop(0)) is not None:
            raise fault

    return serve


def test_answers_come_in_the_rows_order_whatever_order_they_came_in() -> None:
    async def serve(texts: Sequence[str], hear: Hear | None) -> None:
        for _ in range(ord("z") - ord(texts[0])):
            await asyncio.sleep(0)

    done = asked(calls_of(Scripted(serve)), "abcdefghij")
    assert done.answers == [written(text) for text in "abcdefghij"]


@pytest.mark.parametrize(
    "fault", [EndpointBusyError("429"), AwayError("gone"), BrokenError("reset")]
)
def test_what_is_no_rows_fault_goes_again(fault: Exception) -> None:
    protocol = Scripted(failing(fault, fault))
    assert asked(calls_of(protocol), "a").answers == [written("a")]
    assert protocol.asked == [["a"]] * 3


def test_a_retry_after_is_waited_for() -> None:
    protocol = Scripted(failing(EndpointBusyError("429", 0.2)))
    started: list[float] = []

    async def run() -> None:
        calls = calls_of(protocol)
        begun = asyncio.get_running_loop().time()
        await calls.batch([TextGenerationInput(texts=["a"])], [False], lambda _, __: None)
        started.append(asyncio.get_running_loop().time() - begun)

    asyncio.run(run())
    assert started[0] >= 0.2
    assert len(protocol.asked) == 2


def test_a_retry_after_beyond_all_patience_gives_the_row_back_at_once() -> None:
    calls = calls_of(Scripted(failing(EndpointBusyError("429", 600))))
    [answer] = asked(calls, "a").answers
    assert isinstance(answer, NotAnsweredError)
    assert calls.why_shut == "it asks to wait for 600 s"


def test_rows_that_wait_for_a_place_wait_for_a_retry_after_too() -> None:
    refused = failing(EndpointBusyError("429", 600))

    async def serve(texts: Sequence[str], hear: Hear | None) -> None:
        await asyncio.sleep(0)
        await refused(texts, hear)

    protocol = Scripted(serve)
    answers = asked(calls_of(protocol), "abcdefghijklmnop").answers
    assert [type(answer) for answer in answers].count(NotAnsweredError) == 16 - 3
    assert len(protocol.asked) == 4, "those that were under way with the one that was refused"


@pytest.mark.parametrize("fault", [TypeError("no metadata"), OverflowError("a date")])
def test_a_look_that_nobody_thought_of_is_not_the_last_one(fault: Exception) -> None:
    protocol = Scripted(failing(AwayError("gone")))
    protocol.looks = [fault, None]
    assert asked(calls_of(protocol, patience_s=5), "a").answers == [written("a")]


def test_a_row_that_breaks_every_answer_fails_in_the_end_and_no_other_does() -> None:
    async def serve(texts: Sequence[str], hear: Hear | None) -> None:
        if texts[0] == "b":
            raise BrokenError("the answer broke off")

    protocol = Scripted(serve)
    first, second, third = asked(calls_of(protocol), "abc").answers
    assert (first, third) == (written("a"), written("c"))
    assert isinstance(second, BackendError)
    assert str(second) == "the answer broke off"
    assert protocol.asked.count(["b"]) == 4


def test_an_answer_that_nobody_can_read_fails_its_own_row() -> None:
    async def serve(texts: Sequence[str], hear: Hear | None) -> None:
        if texts[0] == "b":
            raise KeyError("usage")

    first, second, third = asked(calls_of(Scripted(serve)), "abc").answers
    assert (first, third) == (written("a"), written("c"))
    assert isinstance(second, BackendError)
    assert str(second) == "the endpoint's answer raised KeyError"


def test_rows_that_are_refused_together_are_asked_alone() -> None:
    async def serve(texts: Sequence[str], hear: Hear | None) -> None:
        if "b" in texts:
            raise RowError("no b")

    protocol = Scripted(serve, together=4)
    answers = asked(calls_of(protocol), "abcdef").answers
    assert [type(answer) for answer in answers].count(RowError) == 1
    assert answers[0] == written("a")
    assert isinstance(answers[1], RowError)
    assert protocol.asked.count(["e", "f"]) == 1, "the others stay together"


def test_a_server_that_is_away_gets_nothing_until_it_is_back() -> None:
    protocol = Scripted(failing(AwayError("gone")))
    protocol.looks = [AwayError("gone"), AwayError("still gone"), None]
    assert asked(calls_of(protocol), "a").answers == [written("a")]
    assert protocol.looks == []
    assert protocol.asked == [["a"]] * 2


def test_rows_of_one_that_stays_away_are_given_back_untouched() -> None:
    protocol = Scripted(failing(AwayError("gone")))
    protocol.looks = [AwayError("still gone")] * 1000
    calls = calls_of(protocol, patience_s=0.05)
    answers = asked(calls, "ab").answers
    assert {type(answer) for answer in answers} == {NotAnsweredError}
    assert calls.why_shut == "still gone"


def test_what_a_day_may_cost_is_never_passed_by_more_than_is_under_way() -> None:
    async def serve(texts: Sequence[str], hear: Hear | None) -> None:
        await asyncio.sleep(0)

    calls = calls_of(Scripted(serve), prices=Prices(1e6, 1e6, 12.0))  # 5 an answer
    answers = asked(calls, "abcdefghijklmnop").answers
    given = [answer for answer in answers if isinstance(answer, TextGenerationOutput)]
    assert 3 <= len(given) <= 3 + 3, "the window is four wide"
    assert all(isinstance(a, NotAnsweredError) for a in answers if a not in given)
    assert calls.why_shut == "what may be spent in a day is spent"


def test_answers_of_no_use_cost_too() -> None:
    async def serve(texts: Sequence[str], hear: Hear | None) -> None:
        raise BrokenError("no JSON", 2, 3)

    protocol = Scripted(serve)
    calls = calls_of(protocol, prices=Prices(1e6, 1e6, 12.0))  # 5 an answer
    [answer] = asked(calls, "a").answers
    assert isinstance(answer, NotAnsweredError)
    assert len(protocol.asked) == 3
    assert calls.why_shut == "what may be spent in a day is spent"


def test_tokens_are_told_once_though_the_row_goes_again() -> None:
    tries: list[Any] = []

    async def serve(texts: Sequence[str], hear: Hear | None) -> None:
        tries.append(hear)
        if len(tries) < 3:
            if hear is not None and len(tries) == 2:
                hear(Token(-1, "half", None))
            raise BrokenError("broke off")

    told: list[str] = []
    asked(calls_of(Scripted(serve)), "a", lambda _, token: told.append(token.text))
    assert told == ["half"]
    assert [hear is not None for hear in tries] == [True, True, False]


def test_a_worker_that_stops_sends_no_more_and_hears_what_is_under_way() -> None:
    async def run() -> None:
        begun, go = asyncio.Event(), asyncio.Event()

        async def serve(texts: Sequence[str], hear: Hear | None) -> None:
            begun.set()
            await go.wait()

        calls = calls_of(Scripted(serve))
        rows = [TextGenerationInput(texts=[text]) for text in "abcdefgh"]
        batch = asyncio.create_task(calls.batch(rows, [False] * 8, lambda _, __: None))
        await begun.wait()
        await asyncio.sleep(0)
        calls.interrupt()
        go.set()
        kinds = [type(answer) for answer in (await batch).answers]
        assert kinds.count(TextGenerationOutput) == 4, "as wide as the window is at first"
        assert kinds.count(NotAnsweredError) == 4
        later = await calls.batch(rows[:1], [False], lambda _, __: None)
        assert isinstance(later.answers[0], NotAnsweredError)

    asyncio.run(run())


def test_what_nobody_wants_ends_its_request() -> None:
    async def run() -> None:
        begun, ended = asyncio.Event(), asyncio.Event()

        async def serve(texts: Sequence[str], hear: Hear | None) -> None:
            begun.set()
            try:
                await asyncio.sleep(600)
            finally:
                ended.set()

        batches: list[BatchCalls] = []
        calls = calls_of(Scripted(serve))
        row = TextGenerationInput(texts=["a"])
        task = asyncio.create_task(calls.batch([row], [True], lambda _, __: None, batches.append))
        await begun.wait()
        batches[0].drop(0)
        [answer] = (await task).answers
        assert ended.is_set()
        assert answer == TextGenerationOutput.empty()

    asyncio.run(run())
