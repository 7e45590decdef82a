from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Sequence,
)
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

import httpx

from ..protocol.errors import WherryError
from . import many_operations, operations
from .address import base_url, key_headers, trusted
from .call_span import operation, program_tracer, request
from .client import Client
from .flow import Flow, HttpRequest, HttpResponse, Pause, Step, arguments, failed, reply_of
from .jobs import JobView
from .map_steps import Emit, NeedInput, SourceEnd, next_input_async
from .mapping import MapRun
from .operations import Input, Output, Wishes
from .run_views import RunView
from .runs import Runs
from .workers import Workers

if TYPE_CHECKING:
    from ..telemetry.trace_context import TraceContext
    from .annotate import Summary

T = TypeVar("T")


class AsyncClient:
    """A fleet, from asyncio code. The methods are `Client`'s."""

    _linked: Sequence[TraceContext] = ()

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        timeout_s: float = 30.0,
        patience_s: float = 60.0,
    ) -> None:
        self.url = base_url(url)
        #: What every request carries: the API key, where there is one.
        self.headers = key_headers(api_key)
        self._timeout_s, self._patience_s = timeout_s, patience_s
        self._http = httpx.AsyncClient(
            base_url=self.url,
            timeout=timeout_s,
            follow_redirects=True,
            headers=self.headers,
            verify=trusted(),
        )

    async def submit(
        self,
        model: str,
        inputs: Input,
        *,
        id: str | None = None,  # noqa: A002 # the protocol's word
        priority: int = 0,
        timeout_s: float = 0.0,
        execution_timeout_s: float = 0.0,
        webhook: str = "",
    ) -> JobView:
        """Submit a job."""
        wishes = Wishes(id, priority, timeout_s, execution_timeout_s, webhook)
        flow = operations.submit(model, inputs, wishes, patience_s=self._patience_s)
        return await self._run(flow)

    async def status(self, job_id: str) -> JobView:
        """A job's state. Raises JobNotFound."""
        return await self._run(operations.status(job_id, patience_s=self._patience_s))

    async def wait(self, job_id: str, timeout_s: float | None = None) -> JobView:
        """A job's state at its end. Raises DeadlineExceeded."""
        return await self._run(operations.wait(job_id, timeout_s, patience_s=self._patience_s))

    async def result(
        self, job_id: str, timeout_s: float | None = None, *, plain: bool = False
    ) -> Output:
        """A job's answer, waited for. Raises the job's error."""
        flow = operations.result(job_id, timeout_s, plain=plain, patience_s=self._patience_s)
        return await self._run(flow)

    async def cancel(self, job_id: str) -> JobView:
        """Cancel a job."""
        return await self._run(operations.cancel(job_id, patience_s=self._patience_s))

    async def forget(self, job_ids: Sequence[str]) -> None:
        """Let ended jobs go."""
        await self._run(many_operations.forget_many(job_ids, patience_s=self._patience_s))

    async def infer(
        self, model: str, inputs: Input, timeout_s: float | None = None, *, priority: int = 0
    ) -> Output:
        """Submit and wait in one call. Raises the job's error, or DeadlineExceeded."""
        wishes, patience_s = Wishes(priority=priority), self._patience_s
        flow = operations.infer(model, inputs, wishes, timeout_s, patience_s=patience_s)
        return await self._run(flow)

    def map(
        self,
        model: str,
        inputs: Iterable[Input] | AsyncIterable[Input],
        *,
        in_flight: int = 256,
        priority: int = 0,
        return_errors: bool = False,
        id_prefix: str = "",
    ) -> AsyncGenerator[Output | WherryError, None]:
        """Answers to inputs, in order, however many: `in_flight` at a time are in memory.

        Close it (`contextlib.aclosing`) when you leave early: that cancels what is under way.
        """
        mapping = MapRun(
            model=model,
            priority=priority,
            in_flight=in_flight,
            id_prefix=id_prefix,
            patience_s=self._patience_s,
        )
        return self._answers(mapping, _async(inputs), return_errors=return_errors)

    async def _answers(
        self, mapping: MapRun, source: AsyncIterator[Input], *, return_errors: bool
    ) -> AsyncGenerator[Output | WherryError, None]:
        flow = mapping.run()
        given: HttpResponse | Input | SourceEnd | None = None
        try:
            while True:
                try:
                    step = flow.send(given)
                except StopIteration:
                    return
                given = None
                if isinstance(step, Emit):
                    yield step.result(return_errors=return_errors)
                elif isinstance(step, NeedInput):
                    given = await next_input_async(source)
                else:
                    given = await self._do(step)
        finally:
            with contextlib.suppress(RuntimeError):  # a forgotten map may outlive the connections
                await self._run(mapping.abandon())

    @overload
    async def annotate(
        self, source: str | Path, *, model: str, detach: Literal[False] = False, **options: Any
    ) -> Summary: ...

    @overload
    async def annotate(
        self, source: str | Path, *, model: str, detach: Literal[True], **options: Any
    ) -> RunView: ...

    async def annotate(
        self, source: str | Path, *, model: str, **options: Any
    ) -> Summary | RunView:
        """Annotate a data set, in a thread of its own; the options are `Client.annotate`'s."""
        with self._blocking() as client:
            call = functools.partial(client.annotate, source, model=model, **options)
            return await asyncio.to_thread(call)

    @property
    def runs(self) -> AsyncRuns:
        """Data sets that the fleet annotates by itself; see docs/runs.md."""
        return AsyncRuns(self._blocking)

    @property
    def workers(self) -> AsyncWorkers:
        """The fleet's workers, for its operator; see docs/operations.md."""
        return AsyncWorkers(self._blocking)

    def _blocking(self) -> Client:
        key = self.headers.get("Authorization", "").removeprefix("Bearer ")
        return Client(self.url, api_key=key, timeout_s=self._timeout_s, patience_s=self._patience_s)

    async def models(self) -> list[dict[str, Any]]:
        """The models and their states."""
        return await self._run(operations.models(patience_s=self._patience_s))

    async def readiness(self) -> list[str]:
        """What keeps the server from being ready; none when it is."""
        return await self._run(operations.readiness(patience_s=self._patience_s))

    async def get(self, path: str) -> dict[str, Any]:
        """Any document of the server."""
        return await self._run(operations.get_json(path, patience_s=self._patience_s))

    async def post(self, path: str, document: object) -> dict[str, Any]:
        """Send a document to any path of the server."""
        return await self._run(operations.post_json(path, document, patience_s=self._patience_s))

    async def delete(self, path: str) -> dict[str, Any]:
        """Remove what is at any path of the server, `/v2/dead/j1` for one."""
        return await self._run(operations.delete_json(path, patience_s=self._patience_s))

    async def _run(self, flow: Flow[T]) -> T:
        if (tracer := program_tracer()) is None:
            return await self._drive(flow)
        with operation(tracer, flow, self._linked):
            return await self._drive(flow)

    async def _drive(self, flow: Flow[T]) -> T:
        reply: Any = None  # a generator's first send takes None
        while True:
            try:
                step = flow.send(reply)
            except StopIteration as end:
                value: T = end.value
                return value
            reply = await self._do(step)

    async def _do(self, step: Step) -> HttpResponse:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return HttpResponse(0)
        if (tracer := program_tracer()) is None:
            return await self._call(step)
        with request(tracer, self.url, step, self._linked) as (carrying, hear):
            return hear(await self._call(carrying))

    async def _call(self, step: HttpRequest) -> HttpResponse:
        try:
            return reply_of(await self._http.request(**arguments(step, self._timeout_s)))
        except httpx.RequestError as error:
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


class AsyncCalls:
    """What a `Client` has under a name, each of its calls to be awaited; an iterator is a list."""

    #: The name, and whose calls they are.
    _name: str
    _kind: type

    def __init__(self, connect: Callable[[], Client]) -> None:
        self._connect = connect

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        """A call, made in a thread of its own."""
        getattr(self._kind, name)  # raises what a wrong name raises

        def work(*args: Any, **options: Any) -> Any:
            with self._connect() as client:
                found = getattr(getattr(client, self._name), name)(*args, **options)
                return list(found) if isinstance(found, Iterator) else found

        return lambda *args, **options: asyncio.to_thread(work, *args, **options)


class AsyncRuns(AsyncCalls):
    """`Client.runs`, each of its calls to be awaited; `rows` gives a list."""

    _name, _kind = "runs", Runs


class AsyncWorkers(AsyncCalls):
    """`Client.workers`, each of its calls to be awaited."""

    _name, _kind = "workers", Workers


def _async(inputs: Iterable[Input] | AsyncIterable[Input]) -> AsyncIterator[Input]:
    return aiter(inputs) if isinstance(inputs, AsyncIterable) else _each(iter(inputs))


async def _each(inputs: Iterator[Input]) -> AsyncIterator[Input]:
    for item in inputs:
        yield item
