from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from ..protocol.errors import WherryError
from . import operations
from .client import arguments, base_url
from .flow import Flow, Pause, Reply, Step, failed, reply_of
from .jobs import JobView
from .mapping import Emit, MapRun, NeedInput
from .operations import Input, Output, Wishes

T = TypeVar("T")


class AsyncClient:
    """A fleet, from asyncio code. The methods are `Client`'s."""

    def __init__(
        self, url: str | None = None, *, timeout_s: float = 30.0, patience_s: float = 60.0
    ) -> None:
        self.url = base_url(url)
        self._timeout_s, self._patience_s = timeout_s, patience_s
        self._http = httpx.AsyncClient(base_url=self.url, timeout=timeout_s, follow_redirects=True)

    async def submit(
        self,
        model: str,
        inputs: Input,
        *,
        id: str | None = None,  # noqa: A002 # the protocol's word
        priority: int = 0,
        timeout_s: float = 0.0,
    ) -> JobView:
        """Submit a job."""
        wishes = Wishes(id, priority, timeout_s)
        flow = operations.submit(model, inputs, wishes, patience_s=self._patience_s)
        return await self._run(flow)

    async def status(self, job_id: str) -> JobView:
        """A job's state. Raises JobNotFound."""
        return await self._run(operations.status(job_id, patience_s=self._patience_s))

    async def wait(self, job_id: str, timeout_s: float | None = None) -> JobView:
        """A job's state at its end. Raises DeadlineExceeded."""
        return await self._run(operations.wait(job_id, timeout_s, patience_s=self._patience_s))

    async def result(self, job_id: str, timeout_s: float | None = None) -> Output:
        """A job's answer, waited for. Raises the job's error."""
        return await self._run(operations.result(job_id, timeout_s, patience_s=self._patience_s))

    async def cancel(self, job_id: str) -> JobView:
        """Cancel a job."""
        return await self._run(operations.cancel(job_id, patience_s=self._patience_s))

    async def infer(self, model: str, inputs: Input, *, priority: int = 0) -> Output:
        """Submit and wait in one call."""
        wishes = Wishes(priority=priority)
        flow = operations.infer(model, inputs, wishes, patience_s=self._patience_s)
        return await self._run(flow)

    async def map(
        self,
        model: str,
        inputs: Iterable[Input] | AsyncIterable[Input],
        *,
        in_flight: int = 256,
        priority: int = 0,
        return_errors: bool = False,
    ) -> AsyncIterator[Output | WherryError]:
        """Answers to inputs, in order, however many: `in_flight` at a time are in memory."""
        mapping = MapRun(model, Wishes(priority=priority), in_flight, self._patience_s)
        source, flow = _async(inputs), mapping.run()
        given: Reply | Input | None = None
        while True:
            try:
                step = flow.send(given)
            except StopIteration:
                return
            given = None
            if isinstance(step, Emit):
                if isinstance(step.answer, WherryError) and not return_errors:
                    raise step.answer
                yield step.answer
            elif isinstance(step, NeedInput):
                given = await anext(source, None)
            else:
                given = await self._do(step)

    async def models(self) -> list[dict[str, Any]]:
        """The models and their states."""
        return await self._run(operations.models(patience_s=self._patience_s))

    async def get(self, path: str) -> dict[str, Any]:
        """Any document of the server."""
        return await self._run(operations.get_json(path, patience_s=self._patience_s))

    async def _run(self, flow: Flow[T]) -> T:
        reply: Any = None  # a generator's first send takes None
        while True:
            try:
                step = flow.send(reply)
            except StopIteration as end:
                value: T = end.value
                return value
            reply = await self._do(step)

    async def _do(self, step: Step) -> Reply:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return Reply(0)
        try:
            return reply_of(await self._http.request(**arguments(step, self._timeout_s)))
        except httpx.TransportError as error:
            return failed(error)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


async def _async(inputs: Iterable[Input] | AsyncIterable[Input]) -> AsyncIterator[Input]:
    if isinstance(inputs, AsyncIterable):
        async for item in inputs:
            yield item
    else:
        for item in inputs:
            yield item
