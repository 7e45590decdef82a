from __future__ import annotations

import asyncio

from wherry.tasks.backends.endpoint.window import RequestWindow


class Server:
    """A server that answers so many requests a second, by a clock of its own, and no more however
    many are sent at once.
    """

    def __init__(self, bears: int) -> None:
        self.bears, self.now = bears, 0.0

    def clock(self) -> float:
        return self.now

    def answer(self, window: RequestWindow) -> None:
        """One request of a full window is answered: a second for each that it bears at once."""
        self.now += 1 / min(window.width, self.bears)


async def flood(window: RequestWindow, server: Server, answers: int) -> None:
    """More requests than the window takes, until there are so many answers."""
    left = answers

    async def ask() -> None:
        nonlocal left
        while left > 0:
            async with window.place():
                await asyncio.sleep(0)
                left -= 1
                server.answer(window)
                window.answered()

    await asyncio.gather(*(ask() for _ in range(300)))


def grown(bears: int, most: int, answers: int = 4000) -> int:
    server = Server(bears)
    window = RequestWindow(most, clock=server.clock)
    asyncio.run(flood(window, server, answers))
    return window.width


def test_it_grows_while_more_at_once_answers_more_and_no_further() -> None:
    assert 20 <= grown(bears=24, most=200) <= 40
    assert 60 <= grown(bears=1000, most=64) <= 64
    assert grown(bears=2, most=64) <= 6


def test_a_width_is_kept_where_nothing_waits() -> None:
    """Who sends one after the other says nothing of what the server bears."""
    server = Server(1000)
    window = RequestWindow(64, clock=server.clock)

    async def one_by_one() -> None:
        for _ in range(500):
            async with window.place():
                server.answer(window)
            window.answered()

    asyncio.run(one_by_one())
    assert window.width == 4


def cut(width: int, *begun: int) -> int:
    """What is left of a width after objections to requests that began after so many cuts."""
    window = RequestWindow(64, clock=lambda: 0.0)
    window.width = width
    for before in begun:
        window.slow_down(before)
    return window.width


def test_an_objection_halves_it_once_for_all_that_was_under_way() -> None:
    async def objected(window: RequestWindow) -> None:
        begun = asyncio.Event()
        objecting = asyncio.Event()

        async def ask() -> None:
            async with window.place() as before:
                if window.under_way == 8:
                    begun.set()
                await objecting.wait()
                window.slow_down(before)

        asks = [asyncio.create_task(ask()) for _ in range(8)]
        await begun.wait()
        objecting.set()
        await asyncio.gather(*asks)

    window = RequestWindow(64)
    window.width = 16
    asyncio.run(objected(window))
    assert window.width == 8
    assert cut(1, 0) == 1, "one is the least"
    assert cut(16, 0, 0, 0) == 8
    assert cut(16, 0, 1) == 4, "another objection to what began after the first"


def test_no_more_are_under_way_than_the_width_and_places_go_in_order() -> None:
    window, order, seen = RequestWindow(3), list[int](), list[int]()

    async def ask(number: int) -> None:
        async with window.place():
            order.append(number)
            seen.append(window.under_way)
            await asyncio.sleep(0)

    async def run() -> None:
        await asyncio.gather(*(ask(number) for number in range(20)))

    asyncio.run(run())
    assert order == list(range(20))
    assert max(seen) == 3
    assert window.under_way == 0


def test_who_gives_up_waiting_leaves_no_place_taken() -> None:
    async def run() -> None:
        window = RequestWindow(1)

        async def hold() -> None:
            async with window.place():
                await asyncio.sleep(30)

        first, second = asyncio.create_task(hold()), asyncio.create_task(hold())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert window.under_way == 0
        third, fourth = asyncio.create_task(hold()), asyncio.create_task(hold())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        third.cancel()  # and the place goes on to one that gives up at that moment
        await asyncio.sleep(0)
        fourth.cancel()
        await asyncio.gather(third, fourth, return_exceptions=True)
        assert window.under_way == 0

    asyncio.run(run())
