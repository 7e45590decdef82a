from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from ..protocol.errors import WherryError
from . import operations
from .flow import Call, Flow, Pause, Reply, Step, failed, reply_of
from .jobs import JobView
from .mapping import Emit, MapRun, NeedInput
from .operations import Input, Output, Wishes

T = TypeVar("T")

#: Where a fleet is when nothing else is said: `wherry up`'s own port.
DEFAULT_URL = "http://127.0.0.1:8750"


def base_url(url: str | None) -> str:
    """The server's address: as given, else WHERRY_URL, else the local stack."""
    return (url or os.environ.get("WHERRY_URL") or DEFAULT_URL).rstrip("/")


class Client:
    """A fleet, from synchronous code. Threads may share it.

    `timeout_s` bounds one call, `patience_s` how long a full or absent server is tried again.
    """

    def __init__(
        self, url: str | None = None, *, timeout_s: float = 30.0, patience_s: float = 60.0
    ) -> None:
        self.url = base_url(url)
        self._timeout_s, self._patience_s = timeout_s, patience_s
        self._http = httpx.Client(base_url=self.url, timeout=timeout_s, follow_redirects=True)

    def submit(
        self,
        model: str,
        inputs: Input,
        *,
        id: str | None = None,  # noqa: A002 # the protocol's word
        priority: int = 0,
        timeout_s: float = 0.0,
    ) -> JobView:
        """Submit a job. The same `id` again is the same job. Priority 1 is the highest.

        `timeout_s` is how long it may wait to start.
        """
        wishes = Wishes(id, priority, timeout_s)
        return self._run(operations.submit(model, inputs, wishes, patience_s=self._patience_s))

    def status(self, job_id: str) -> JobView:
        """A job's state. Raises JobNotFound."""
        return self._run(operations.status(job_id, patience_s=self._patience_s))

    def wait(self, job_id: str, timeout_s: float | None = None) -> JobView:
        """A job's state at its end. Raises DeadlineExceeded."""
        return self._run(operations.wait(job_id, timeout_s, patience_s=self._patience_s))

    def result(self, job_id: str, timeout_s: float | None = None) -> Output:
        """A job's answer, waited for, as its task's Output. Raises the job's error."""
        return self._run(operations.result(job_id, timeout_s, patience_s=self._patience_s))

    def cancel(self, job_id: str) -> JobView:
        """Cancel a job: at once while it waits, at its batch's end while it runs."""
        return self._run(operations.cancel(job_id, patience_s=self._patience_s))

    def infer(self, model: str, inputs: Input, *, priority: int = 0) -> Output:
        """Submit and wait in one call."""
        wishes = Wishes(priority=priority)
        return self._run(operations.infer(model, inputs, wishes, patience_s=self._patience_s))

    def map(
        self,
        model: str,
        inputs: Iterable[Input],
        *,
        in_flight: int = 256,
        priority: int = 0,
        return_errors: bool = False,
    ) -> Iterator[Output | WherryError]:
        """Answers to inputs, in order, however many: `in_flight` at a time are in memory.

        An input's error is raised, or with `return_errors` stands in its answer's place.
        """
        mapping = MapRun(model, Wishes(priority=priority), in_flight, self._patience_s)
        source, flow, given = iter(inputs), mapping.run(), None
        try:
            step = next(flow)
            while True:
                if isinstance(step, Emit):
                    if isinstance(step.answer, WherryError) and not return_errors:
                        raise step.answer
                    yield step.answer
                    step = next(flow)
                else:
                    given = next(source, None) if isinstance(step, NeedInput) else self._do(step)
                    step = flow.send(given)
        except StopIteration:
            return

    def models(self) -> list[dict[str, Any]]:
        """The models and their states."""
        return self._run(operations.models(patience_s=self._patience_s))

    def get(self, path: str) -> dict[str, Any]:
        """Any document of the server, `/v2/queues` for one."""
        return self._run(operations.get_json(path, patience_s=self._patience_s))

    def _run(self, flow: Flow[T]) -> T:
        try:
            step = next(flow)
            while True:
                step = flow.send(self._do(step))
        except StopIteration as end:
            value: T = end.value
            return value

    def _do(self, step: Step) -> Reply:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return Reply(0)
        try:
            return reply_of(self._http.request(**arguments(step, self._timeout_s)))
        except httpx.TransportError as error:
            return failed(error)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def arguments(call: Call, timeout_s: float) -> dict[str, Any]:
    """A call as httpx takes it."""
    return {
        "method": call.method,
        "url": call.path,
        "content": call.content,
        "headers": dict(call.headers),
        "timeout": timeout_s + call.held_s,
    }
