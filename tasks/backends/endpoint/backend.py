"""A model that another server runs, as a worker sees it."""

from __future__ import annotations

import asyncio
import logging
import os
import queue
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx

from ....protocol.errors import BackendError, RowError, WherryError
from ...base import Task, TaskInput, TaskOutput
from ...egress.allowed import NotAllowed
from ...text.tokens import Listener, Token
from ..base import ModelRefused, StreamingBackend
from ..device import Device
from ..facts import ModelFacts
from . import loop
from .calls import BatchCalls, Calls
from .declared import fault_of
from .http import Http, open_guard
from .protocols import protocol_class
from .protocols.base import Protocol, RemoteModel
from .rates import Allowance, Limits, Prices, Spending
from .window import RequestWindow

log = logging.getLogger(__name__)

#: Seconds that loading waits for a first look at the server.
_LOOK_S = 10.0

#: What is claimed for an endpoint beside what is under way, in windows: it must not run dry.
_WINDOWS = 2

#: Seconds of an operator's requests a minute that are claimed ahead.
_AHEAD_S = 15


class Endpoint(StreamingBackend):
    """Sends rows to the server at `source`, and answers with what it answers.

    `protocol` is what it speaks: oip (Open Inference Protocol over HTTP), oip-grpc, openai or
    huggingface. `model` is what it calls the model, and `model_version` which of them is meant.
    `key_env` names the environment variable of the worker that holds the API key, sent as a bearer
    token; `headers_env` names one for each further header. `timeout_s` bounds one request, and
    between two pieces of a stream. `max_concurrent` bounds the requests under way, whose number is
    found by trying; `rows_per_request` the rows of one of them, 0 for as many as the protocol and
    the server take. `requests_per_minute` and `tokens_per_minute` bound what all workers send
    together, and `spend_per_day` what answers may cost in the money of `price_in` and `price_out`,
    which are for a million tokens; 0 is no bound. `names` says what the server calls a tensor or
    field otherwise, "" leaves it out; `extra` are parameters that go with every request.
    """

    rows_have_own = True
    is_remote = True

    def __init__(
        self,
        task: Task,
        source: str | None,
        *,
        device: Device,
        protocol: str = "oip",
        model: str = "",
        model_version: str = "",
        key_env: str = "",
        headers_env: Mapping[str, str] | None = None,
        timeout_s: float = 300.0,
        max_concurrent: int = 64,
        rows_per_request: int = 0,
        requests_per_minute: float = 0,
        tokens_per_minute: float = 0,
        price_in: float = 0,
        price_out: float = 0,
        spend_per_day: float = 0,
        names: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(task, source, device=device)
        self._protocol_name, self._timeout_s = protocol, timeout_s
        #: Of these protocols OpenAI's alone has words for forms and tools.
        self.follows_forms = protocol == "openai"
        self._max_concurrent, self._per_minute = max_concurrent, requests_per_minute
        self._key_env, self._headers_env = key_env, dict(headers_env or {})
        self._tokens_per_minute = tokens_per_minute
        self._prices = Prices(price_in, price_out, spend_per_day)
        self._wanted = RemoteModel(
            model=model,
            model_version=model_version,
            rows_per_request=rows_per_request,
            names=names or {},
            extra=extra or {},
        )
        self._protocol: Protocol | None = None
        self._limits: Limits | None = None
        self._among = 1
        self._calls: Calls | None = None
        #: Who was told last of what was spent.
        self._told: Callable[[int, float], float] | None = None

    def load(self) -> None:
        """Look at the server; one that is away is served when it comes.

        Raises ModelRefused for what no patience would help.
        """
        declared = {"protocol": self._protocol_name, "model": self._wanted.model}
        if why := fault_of(self.task.name, self.source, declared):
            raise ModelRefused(why)
        loop.submit(self._open()).result()

    async def _open(self) -> None:
        try:
            guard = open_guard(self._timeout_s, self._max_concurrent)
        except ValueError as error:
            raise ModelRefused(str(error)) from None
        http = Http(str(self.source), self._headers(), guard, self._timeout_s)
        try:
            await http.check()
        except NotAllowed as error:
            await http.close()
            raise ModelRefused(f"source: {error}") from None
        self._protocol = protocol_class(self._protocol_name)(self.task, self._wanted, http)
        limits = self._limits = Limits(
            Allowance(self._per_minute),
            Allowance(self._tokens_per_minute),
            Spending(self._prices),
        )
        self._calls = Calls(self._protocol, RequestWindow(self._max_concurrent), limits)
        try:
            async with asyncio.timeout(_LOOK_S):
                await self._calls.look()
        except TimeoutError:
            self._calls.shut(f"no answer within {_LOOK_S:g} s")

    def _headers(self) -> dict[str, str]:
        """The endpoint's own headers, from the environment. Raises ModelRefused."""
        headers = {}
        named = list(self._headers_env.items())
        for header, variable in [*named, *([("", self._key_env)] if self._key_env else [])]:
            value = os.environ.get(variable, "").strip()
            if not value or not value.isascii() or not value.isprintable():
                fault = "holds what no header may" if value else "is not set"
                raise ModelRefused(
                    f"environment variable {variable!r} {fault} in this worker, and"
                    f" {header or 'the key'} is to come from it"
                )
            headers[header or "Authorization"] = value if header else f"Bearer {value}"
        return headers

    def warm_up(self) -> None:
        """Nothing: an example would cost money."""

    @property
    def away(self) -> str:
        """Why no row is sent there now; "" while some are."""
        return self._calls.why_shut if self._calls is not None else "it is not loaded"

    def claimable(self, held: int) -> int:
        """How many rows more may be claimed for it while it has so many."""
        if self._calls is None or self._protocol is None or self._calls.why_shut:
            return 0
        width, each = self._calls.window.width, self._protocol.rows_per_request
        most = _WINDOWS * width * each
        if self._per_minute:
            most = min(most, int(1 + self._per_minute / self._among * _AHEAD_S / 60) * each)
        # A batch ends with its slowest row: several small ones let others go before.
        return max(0, min(most - held, max(1, width // 4) if each == 1 else each))

    def facts(self) -> ModelFacts:
        """Where it is: the host, never a path, a query or a key."""
        host = httpx.URL(str(self.source)).host
        return ModelFacts(runtime=f"{self._protocol_name} at {host}")

    def stream(
        self, batch: Sequence[TaskInput], listeners: Sequence[Listener | None]
    ) -> list[TaskOutput | RowError]:
        """Send every row, and tell its tokens as they come."""
        return list(self.answer(batch, listeners))  # type: ignore[arg-type] # rows may wait, too

    def answer(
        self, batch: Sequence[TaskInput], listeners: Sequence[Listener | None]
    ) -> Sequence[TaskOutput | WherryError]:
        """An answer a row; NotAnsweredError for one that is to be sent another time."""
        assert self._calls is not None
        told: queue.SimpleQueue[tuple[int, Token] | None] = queue.SimpleQueue()
        calls = self._calls
        batched: list[BatchCalls] = []
        begun = loop.submit(
            calls.batch(
                batch,
                [listener is not None for listener in listeners],
                lambda row, token: told.put((row, token)),
                batched.append,
            )
        )
        begun.add_done_callback(lambda _: told.put(None))
        while (said := told.get()) is not None:
            row, token = said
            listener = listeners[row]
            if listener is not None and not listener(token):
                loop.running().call_soon_threadsafe(batched[0].drop, row)
        try:
            done = begun.result()
        except Exception as error:
            raise BackendError(f"the endpoint's answer raised {type(error).__name__}") from error
        self.device.charge(done.share_s)
        return done.answers

    def meter(self, among: int, told: Callable[[int, float], float]) -> None:
        """Take one worker's part of the limits, and settle what was spent."""
        if self._limits is not None:
            self._among, self._told = max(1, among), told
            self._limits.requests.share(among)
            self._limits.tokens.share(among)
            self._limits.spending.settle(told)

    def interrupt(self, *, all_of_them: bool = False) -> None:
        """Begin no more requests, since the worker stops; or end those under way, too."""
        if (calls := self._calls) is not None:
            loop.running().call_soon_threadsafe(lambda: calls.interrupt(all_of_them=all_of_them))

    def close(self) -> None:
        """Close the connections, and settle what was spent since the last time."""
        if self._calls is not None:
            loop.submit(self._calls.close()).result()
            self._calls = None
        if self._limits is not None and self._told is not None:
            try:
                self._limits.spending.settle(self._told)
            except WherryError as error:
                log.warning(
                    "what %s has cost last is told to nobody: %s", self.facts().runtime, error
                )
