"""`AsyncClient` is `Client`, awaited."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import get_type_hints

import httpx
import pytest

from wherry.client import AsyncClient, Client
from wherry.client.operations import Input
from wherry.ops.ports import free_port
from wherry.ops.stack import Stack
from wherry.protocol import errors, v2
from wherry.protocol.states import JobState
from wherry.tasks.text.embedding import EmbeddingInput

from .conftest import classify, embed, vector
from .proxy import Fate, Lose, Proxy, Seen, full

#: What only differs by how it is awaited.
SAME = (
    *("submit", "status", "wait", "result", "cancel", "infer", "map", "models", "get", "post"),
    *("delete", "forget", "readiness"),
    "__init__",
)


def run(url: str, work: Callable[[AsyncClient], Awaitable[None]]) -> None:
    """Do the work with a client of this address."""

    async def main() -> None:
        async with AsyncClient(url) as client:
            await work(client)

    asyncio.run(main())


def public(kind: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(kind, callable) if not name.startswith("_")}


def test_both_clients_have_the_same_methods() -> None:
    assert public(Client) == public(AsyncClient) == {*SAME, "annotate", "close"} - {"__init__"}


@pytest.mark.parametrize("name", SAME)
def test_a_method_takes_the_same(name: str) -> None:
    one, other = getattr(Client, name), getattr(AsyncClient, name)
    mine, theirs = inspect.signature(one), inspect.signature(other)
    assert [(p.name, p.kind, p.default) for p in mine.parameters.values()] == [
        (p.name, p.kind, p.default) for p in theirs.parameters.values()
    ]
    if name != "map":
        assert get_type_hints(one)["return"] == get_type_hints(other)["return"]


def test_every_call_works(stack: Stack, client: Client) -> None:
    async def work(awaited: AsyncClient) -> None:
        name = f"order {uuid.uuid4()}/ü"
        job = await awaited.submit("embedding", embed("a"), id=name, priority=1, timeout_s=30)
        assert (job.id, job.priority) == (name, 1)
        assert (await awaited.wait(name, 20)).status is JobState.SUCCEEDED
        assert (await awaited.status(name)).done
        assert await awaited.result(name) == client.result(name)
        assert isinstance(await awaited.result(name, plain=True), v2.InferenceResponse)
        assert (await awaited.cancel(name)).status is JobState.SUCCEEDED, "harmless at its end"
        assert await awaited.infer("embedding", embed("a"), priority=9) == client.result(name)
        assert await awaited.models() == client.models()
        assert (await awaited.get("/v2"))["name"] == "wherry"

    run(stack.url, work)


def test_errors_are_raised(stack: Stack, let_go: Callable[[], None]) -> None:
    async def work(client: AsyncClient) -> None:
        with pytest.raises(errors.JobNotFound):
            await client.status("nobody's")
        with pytest.raises(errors.ModelNotFound):
            await client.infer("nobody", embed("a"))
        with pytest.raises(errors.DeadlineExceeded):
            await client.infer("slow", classify(b"a"), 0.01)

    run(stack.url, work)


def test_a_server_that_is_away_is_an_error_after_the_patience() -> None:
    async def main() -> None:
        async with AsyncClient(f"http://127.0.0.1:{free_port()}", patience_s=0.2) as client:
            with pytest.raises(errors.Unavailable, match="cannot be reached"):
                await client.models()

    asyncio.run(main())


def test_a_bad_line_makes_no_second_job(proxy: Proxy, submitted: Callable[[], int]) -> None:
    before = submitted()

    async def work(client: AsyncClient) -> None:
        proxy.once("/jobs", full(0), Lose())
        job = await client.submit("embedding", embed("once"))
        assert (await client.wait(job.id, 20)).done
        proxy.once("/infer", Lose())
        await client.infer("embedding", embed("once"))

    run(proxy.url, work)
    assert submitted() == before + 2


def test_calls_run_beside_each_other(stack: Stack, let_go: Callable[[], None]) -> None:
    async def work(client: AsyncClient) -> None:
        job = await client.submit("slow", classify(b"a"))
        waiting = asyncio.create_task(client.wait(job.id))
        assert len(vector(await client.infer("embedding", embed("meanwhile")))) == 8
        let_go()
        assert (await waiting).status is JobState.SUCCEEDED
        texts = [embed(f"text {n}") for n in range(20)]
        many = await asyncio.gather(*(client.infer("embedding", text) for text in texts))
        assert [vector(a) for a in many] == [
            vector(await client.infer("embedding", texts[n])) for n in range(20)
        ]

    run(stack.url, work)


def test_a_wait_can_be_canceled(stack: Stack, let_go: Callable[[], None]) -> None:
    async def work(client: AsyncClient) -> None:
        job = await client.submit("slow", classify(b"b"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.wait(job.id), 0.05)
        let_go()
        assert (await client.wait(job.id, 20)).status is JobState.SUCCEEDED

    run(stack.url, work)


def numbered(count: int) -> Iterator[EmbeddingInput]:
    return (embed(f"text {number}") for number in range(count))


async def numbered_async(count: int) -> AsyncIterator[Input]:
    for item in numbered(count):
        await asyncio.sleep(0)
        yield item


def test_map_takes_plain_and_async_iterables(stack: Stack, client: Client) -> None:
    expected = list(client.map("embedding", numbered(30)))

    async def work(awaited: AsyncClient) -> None:
        for source in (numbered(30), numbered_async(30), list(numbered(30))):
            assert [a async for a in awaited.map("embedding", source, in_flight=7)] == expected

    run(stack.url, work)


def test_map_gives_or_raises_errors(stack: Stack) -> None:
    inputs = [classify(b"a"), classify(b"REJECT"), classify(b"c")]

    async def work(client: AsyncClient) -> None:
        answers = client.map("image-classification", inputs, return_errors=True)
        assert [isinstance(a, errors.RowError) async for a in answers] == [False, True, False]
        raising = client.map("image-classification", inputs)
        await anext(raising)
        with pytest.raises(errors.RowError):
            await anext(raising)
        with pytest.raises(ValueError, match="in_flight"):
            client.map("embedding", [], in_flight=0)

    run(stack.url, work)


def test_what_the_source_raises_comes_after_the_answers_before_it(stack: Stack) -> None:
    async def source() -> AsyncIterator[Input]:
        yield embed("a")
        raise LookupError("the queue is gone")

    async def work(client: AsyncClient) -> None:
        answers = client.map("embedding", source())
        assert len(vector(await anext(answers))) == 8
        with pytest.raises(LookupError, match="the queue is gone"):
            await anext(answers)

    run(stack.url, work)


def slow_jobs_canceled(client: Client) -> int:
    """Of the twelve newest jobs of the slow model, how many ended canceled."""
    query: dict[str, str | int] = {"model": "slow", "limit": 12}
    jobs = httpx.get(f"{client.url}/v2/jobs", params=query).json()["jobs"]
    found = [client.wait(job["id"], 30).status for job in jobs]
    return found.count(JobState.CANCELED)


TWELVE = [classify(b"%d" % number) for number in range(12)]


@pytest.mark.parametrize("way", ["closed", "forgotten"])
def test_leaving_early_cancels_what_nobody_will_read(
    way: str, stack: Stack, client: Client
) -> None:
    async def work(awaited: AsyncClient) -> None:
        answers = awaited.map("slow", TWELVE)
        if way == "closed":
            async with contextlib.aclosing(answers):
                await anext(answers)
        else:
            async for _ in answers:
                break
            del answers
            await asyncio.sleep(0)  # now the loop makes a task that closes it
            await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})

    run(stack.url, work)
    assert slow_jobs_canceled(client) >= 6


@pytest.mark.parametrize("moment", ["jobs:batch", "jobs:status"])
def test_a_map_that_is_canceled_cancels_its_jobs(moment: str, client: Client, proxy: Proxy) -> None:
    async def first(answers: AsyncIterator[object]) -> None:
        await anext(answers)

    async def work(awaited: AsyncClient) -> None:
        loop, there, left = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

        def hold(seen: Seen) -> Fate:
            if moment not in seen.path:
                return None
            answer = proxy.forward(seen) if moment == "jobs:batch" else None
            loop.call_soon_threadsafe(there.set)
            left.wait(20)
            return answer

        proxy.rule = hold
        async with asyncio.TaskGroup() as group:
            task = group.create_task(first(awaited.map("slow", TWELVE)))
            await there.wait()
            task.cancel()
        left.set()

    run(proxy.url, work)
    assert slow_jobs_canceled(client) >= 6


def test_two_maps_of_one_client_run_beside_each_other(
    stack: Stack, let_go: Callable[[], None]
) -> None:
    async def work(client: AsyncClient) -> None:
        ended = []

        async def whole(model: str, inputs: list[Input]) -> int:
            count = len([a async for a in client.map(model, inputs)])
            ended.append(model)
            let_go()
            return count

        slow, quick = whole("slow", [*TWELVE[:4]]), whole("embedding", [*numbered(9)])
        assert sum(await asyncio.gather(slow, quick)) == 13
        assert ended == ["embedding", "slow"]

    run(stack.url, work)
