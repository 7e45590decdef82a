from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

import httpx

from ..protocol.errors import WherryError
from . import many_operations, operations
from .address import base_url, key_headers, trusted
from .call_span import operation, program_tracer, request
from .errors import UsageError
from .flow import Flow, HttpRequest, HttpResponse, Pause, Step, arguments, failed, reply_of
from .jobs import JobView
from .map_steps import Emit, NeedInput, Room, SourceEnd, next_input
from .mapping import MapRun
from .operations import Input, Output, Wishes
from .plain_http import PlainHttp
from .run_views import RunView
from .runs import Runs, detached
from .workers import Workers

if TYPE_CHECKING:
    from ..telemetry.trace_context import TraceContext
    from .annotate import Progress, Summary

T = TypeVar("T")


class Client:
    """A fleet, from synchronous code. Threads may share it.

    `api_key` is taken from WHERRY_API_KEY, or the file WHERRY_API_KEY_FILE, where none is given.
    `timeout_s` bounds one call, on top of a wait that it asks for; `patience_s` how long a full or
    absent server is tried again.
    """

    #: Seconds that a map waits for answers at a time.
    _poll_s = operations.POLL_S
    #: Spans that those of its calls are linked to.
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
        self._plain = PlainHttp.to(self.url, self.headers)
        self._http: httpx.Client | None = None

    def submit(
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
        """Submit a job. The same `id` again is the same job. Priority 1 is the highest.

        `timeout_s` is how long it may wait to start, `execution_timeout_s` how long it may run.
        `webhook` is a URL to call at its end; `wherry.client.webhooks` reads such a call.
        """
        wishes = Wishes(id, priority, timeout_s, execution_timeout_s, webhook)
        return self._run(operations.submit(model, inputs, wishes, patience_s=self._patience_s))

    def status(self, job_id: str) -> JobView:
        """A job's state. Raises JobNotFound."""
        return self._run(operations.status(job_id, patience_s=self._patience_s))

    def wait(self, job_id: str, timeout_s: float | None = None) -> JobView:
        """A job's state at its end. Raises DeadlineExceeded."""
        return self._run(operations.wait(job_id, timeout_s, patience_s=self._patience_s))

    def result(self, job_id: str, timeout_s: float | None = None, *, plain: bool = False) -> Output:
        """A job's answer, waited for, as its task's Output. Raises the job's error.

        `plain` gives the InferenceResponse itself, with its parameters.
        """
        flow = operations.result(job_id, timeout_s, plain=plain, patience_s=self._patience_s)
        return self._run(flow)

    def cancel(self, job_id: str) -> JobView:
        """Cancel a job: at once while it waits, at its batch's end while it runs."""
        return self._run(operations.cancel(job_id, patience_s=self._patience_s))

    def forget(self, job_ids: Sequence[str]) -> None:
        """Let ended jobs and their results go, a thousand at a time: you have read them.

        Those that have not ended stay.
        """
        self._run(many_operations.forget_many(job_ids, patience_s=self._patience_s))

    def infer(
        self, model: str, inputs: Input, timeout_s: float | None = None, *, priority: int = 0
    ) -> Output:
        """Submit and wait in one call. Raises the job's error, or DeadlineExceeded."""
        wishes, patience_s = Wishes(priority=priority), self._patience_s
        return self._run(operations.infer(model, inputs, wishes, timeout_s, patience_s=patience_s))

    def map(
        self,
        model: str,
        inputs: Iterable[Input],
        *,
        in_flight: int | Room = 256,
        priority: int = 0,
        return_errors: bool = False,
        id_prefix: str = "",
    ) -> Generator[Output | WherryError, None, None]:
        """Answers to inputs, in order, however many: `in_flight` at a time are in memory.

        An input's error is raised, or with `return_errors` stands in its answer's place. Jobs that
        are under way when the generator is closed are canceled. With `id_prefix` the jobs are
        called `<prefix>0` and so on, and go on instead: the same map again reads their answers.
        """
        mapping = MapRun(
            model=model,
            priority=priority,
            in_flight=in_flight,
            id_prefix=id_prefix,
            patience_s=self._patience_s,
            poll_s=self._poll_s,
        )
        return self._answers(mapping, iter(inputs), return_errors=return_errors)

    def _answers(
        self, mapping: MapRun, source: Iterator[Input], *, return_errors: bool
    ) -> Generator[Output | WherryError, None, None]:
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
                    given = next_input(source)
                else:
                    given = self._do(step)
        finally:
            with contextlib.suppress(RuntimeError):  # a forgotten map may outlive the connections
                self._run(mapping.abandon())

    @property
    def runs(self) -> Runs:
        """Data sets that the fleet annotates by itself; see docs/runs.md."""
        return Runs(self)

    @property
    def workers(self) -> Workers:
        """The fleet's workers, for its operator; see docs/operations.md."""
        return Workers(self)

    @overload
    def annotate(
        self,
        source: str | Path,
        *,
        model: str,
        out: str | Path,
        format: str = "",
        parameters: Mapping[str, Any] | None = None,
        observer: Callable[[Progress], None] = ...,
        detach: Literal[False] = False,
        **options: Any,
    ) -> Summary: ...

    @overload
    def annotate(
        self,
        source: str | Path,
        *,
        model: str,
        out: str | Path = "",
        format: str = "",
        parameters: Mapping[str, Any] | None = None,
        detach: Literal[True],
        **options: Any,
    ) -> RunView: ...

    def annotate(
        self,
        source: str | Path,
        *,
        model: str,
        out: str | Path = "",
        format: str = "",  # noqa: A002 # what the command calls it
        parameters: Mapping[str, Any] | None = None,
        observer: Callable[[Progress], None] = lambda _: None,
        detach: bool = False,
        **options: Any,  # Options' own fields; detached, those of `Runs.start`
    ) -> Summary | RunView:
        """Annotate a data set, as `wherry annotate` does; see docs/annotate.md.

        `observer` is told where the run stands. The same call again goes on with a run that broke
        off. With `detach` the fleet does it: it answers at once with a run, see docs/runs.md.
        Raises InvalidRequest, TooManyErrors, Unavailable.
        """
        if detach:
            fields = {"format": format, "parameters": parameters or {}, **detached(options)}
            return self.runs.start(source, model=model, out=out, **fields)
        if not str(out):
            raise UsageError("out: name where the annotations go")
        from .annotate import Options, annotate

        asked = Options(
            source=str(source),
            model=model,
            out=Path(out),
            format=format,
            parameters=parameters or {},
            **options,
        )
        return annotate(self, asked, observer)

    def models(self) -> list[dict[str, Any]]:
        """The models and their states."""
        return self._run(operations.models(patience_s=self._patience_s))

    def readiness(self) -> list[str]:
        """What keeps the server from being ready; none when it is."""
        return self._run(operations.readiness(patience_s=self._patience_s))

    def get(self, path: str) -> dict[str, Any]:
        """Any document of the server, `/v2/queues` for one."""
        return self._run(operations.get_json(path, patience_s=self._patience_s))

    def post(self, path: str, document: object) -> dict[str, Any]:
        """Send a document to any path of the server, `/pixano/v1/inference/ner` for one."""
        return self._run(operations.post_json(path, document, patience_s=self._patience_s))

    def delete(self, path: str) -> dict[str, Any]:
        """Remove what is at any path of the server, `/v2/dead/j1` for one."""
        return self._run(operations.delete_json(path, patience_s=self._patience_s))

    def _run(self, flow: Flow[T]) -> T:
        if (tracer := program_tracer()) is None:
            return self._drive(flow)
        with operation(tracer, flow, self._linked):
            return self._drive(flow)

    def _drive(self, flow: Flow[T]) -> T:
        try:
            step = next(flow)
            while True:
                step = flow.send(self._do(step))
        except StopIteration as end:
            value: T = end.value
            return value

    def _do(self, step: Step) -> HttpResponse:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return HttpResponse(0)
        if (tracer := program_tracer()) is None:
            return self._call(step)
        with request(tracer, self.url, step, self._linked) as (carrying, hear):
            return hear(self._call(carrying))

    def _call(self, step: HttpRequest) -> HttpResponse:
        reply = self._plain.reply(step, self._timeout_s) if self._plain else None
        if reply is not None:
            return reply
        try:
            return reply_of(self._all_http().request(**arguments(step, self._timeout_s)))
        except httpx.RequestError as error:
            return failed(error)

    def _all_http(self) -> httpx.Client:
        """What makes any call; made when it is needed, for it reads all certificates."""
        if self._http is None:
            self._http = httpx.Client(
                base_url=self.url,
                timeout=self._timeout_s,
                follow_redirects=True,
                headers=self.headers,
                verify=trusted(),
            )
        return self._http

    def close(self) -> None:
        """Close the connections."""
        if self._plain:
            self._plain.close()
        if self._http:
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
