"""`map`: any number of inputs through the fleet, with bounded memory, in order."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from ..protocol import v2
from ..protocol.errors import (
    InvalidRequest,
    PayloadTooLarge,
    Unavailable,
    WherryError,
    from_code,
)
from ..protocol.states import JobState
from ..tasks.base import Task, TaskInput
from .flow import Flow, Pause
from .jobs import no_result
from .many_operations import read_many, submit_many, takes_binary
from .map_steps import Emit, MapFlow, NeedInput, Room, SourceEnd, steps
from .operations import (
    POLL_EVERY_S,
    POLL_S,
    Input,
    Output,
    Wishes,
    cancel,
    fetch,
    output_of,
    request_of,
    submit,
    task_of,
)

#: Jobs in one submission.
_CHUNK = 64
#: Bytes in one submission, so that a chunk of large images stays far under the server's limit.
_CHUNK_BYTES = 8 * 1024 * 1024
#: Jobs in one look at their states.
_READ = 1000
#: Seconds to gather inputs before those at hand are sent: a slow source delays none by more.
_GATHER_S = 0.1
#: Submissions of which the shortest tells how long a call takes: others waited for something.
_TIMED = 8


@dataclass(slots=True)
class _Item:
    index: int
    request: v2.InferenceRequest
    task: Task | None
    size: int
    #: Whether the id is ours, so that nobody else can ask for the job.
    ours: bool


#: What the server says of one submission: an item of `/v2/jobs:batch`.
Outcome = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class MapRun:
    """The state of one map: what waits to be sent, what is in flight, what is answered."""

    model: str
    priority: int
    in_flight: int | Room
    id_prefix: str
    patience_s: float
    #: Seconds that one look for answers is held at the server, while there is nothing else to do.
    poll_s: float = POLL_S
    to_send: deque[_Item] = field(default_factory=deque)
    #: On its way: stored or not, until the server has answered.
    offered: list[_Item] = field(default_factory=list)
    #: By job id; two inputs may bear the same.
    pending: dict[str, list[_Item]] = field(default_factory=dict)
    answers: dict[int, Output | WherryError] = field(default_factory=dict)
    taken: int = 0
    emitted: int = 0
    ended: SourceEnd | None = None
    #: Whether the server takes requests with raw tensors; None until it was asked.
    binary: bool | None = None
    #: Since when the server has refused all, with nothing of ours in flight.
    refused_since: float | None = None
    #: Seconds that each of the last submissions took.
    took_s: deque[float] = field(default_factory=lambda: deque(maxlen=_TIMED))

    def __post_init__(self) -> None:
        if isinstance(self.in_flight, int) and self.in_flight < 1:
            raise ValueError(f"in_flight: {self.in_flight} is not 1 or more")

    def run(self) -> MapFlow:
        """Answer every input, in order. What the source raises comes after the answers before."""
        while True:
            yield from self._take_inputs()
            yield from steps(self._send())
            yield from steps(self._read())
            while self.emitted in self.answers:
                yield Emit(self.answers.pop(self.emitted))
                self.emitted += 1
            if self.ended and self.emitted == self.taken:
                if self.ended.error is not None:
                    raise self.ended.error
                return

    def abandon(self) -> Flow[None]:
        """Cancel the jobs that nobody will read. One under a caller's own id may be resumed."""
        items = [item for waiting in self.pending.values() for item in waiting]
        for item in items + self.offered:
            if item.ours:
                try:
                    yield from cancel(str(item.request.id), patience_s=0)
                except Unavailable:
                    return
                except WherryError:
                    continue  # unknown: it was never stored

    @property
    def _room(self) -> bool:
        # Answers that wait for an earlier one count too: that is what bounds the memory.
        if self.ended is not None:
            return False
        if isinstance(self.in_flight, int):
            return self.taken - self.emitted < self.in_flight
        return self.taken - self.emitted < self.in_flight.room(min(self.took_s, default=0.0))

    def _take_inputs(self) -> MapFlow:
        started_at = time.monotonic()
        while self._room:
            given = yield NeedInput()
            if isinstance(given, SourceEnd):
                self.ended = given
                return
            if not isinstance(given, (TaskInput, v2.InferenceRequest)):
                raise TypeError(f"inputs: {type(given).__name__} is no task's Input")
            self.to_send.append(self._item(given))
            self.taken += 1
            if time.monotonic() - started_at > _GATHER_S:
                return

    def _item(self, given: Input) -> _Item:
        named = f"{self.id_prefix}{self.taken}" if self.id_prefix else None
        request = request_of(given, Wishes(named, self.priority))
        own_id = isinstance(given, v2.InferenceRequest) and given.id
        size = sum(_size(tensor) for tensor in request.inputs)
        return _Item(self.taken, request, task_of(given), size, not (named or own_id))

    def _send(self) -> Flow[None]:
        if self.to_send and self.binary is None:
            self.binary = yield from takes_binary(patience_s=self.patience_s)
        while self.to_send:
            self.offered, began = self._chunk(), time.monotonic()
            outcomes = yield from self._offer(self.offered)
            self.took_s.append(time.monotonic() - began)
            chunk, self.offered = self.offered, []
            refusals = [self._note(i, o) for i, o in zip(chunk, outcomes, strict=True)]
            full = [i for i, refusal in zip(chunk, refusals, strict=True) if refusal]
            if full:
                # The server's queue is full: let it drain before offering these again.
                self.to_send.extendleft(reversed(full))
                yield from self._wait_for_room(next(filter(None, refusals)))
                return
            self.refused_since = None

    def _chunk(self) -> list[_Item]:
        chunk = [self.to_send.popleft()]
        size = chunk[0].size
        while self.to_send and len(chunk) < _CHUNK:
            size += self.to_send[0].size
            if size > _CHUNK_BYTES:
                break
            chunk.append(self.to_send.popleft())
        return chunk

    def _offer(self, chunk: list[_Item]) -> Flow[list[Outcome]]:
        # In a fleet that is being upgraded the next server may not take what the last one did.
        forms = (True, False) if self.binary else (False,)
        for binary in forms if chunk[0].size <= _CHUNK_BYTES else ():
            try:
                return (yield from self._offer_together(chunk, binary=binary))
            except PayloadTooLarge:
                break
            except InvalidRequest:
                continue  # or not to be told in JSON
        outcomes = []
        for item in chunk:
            outcomes.append((yield from self._offer_alone(item)))  # noqa: PERF401 # it yields
        return outcomes

    def _offer_together(self, chunk: list[_Item], *, binary: bool) -> Flow[list[Outcome]]:
        requests = [item.request for item in chunk]
        return (
            yield from submit_many(self.model, requests, binary=binary, patience_s=self.patience_s)
        )

    def _offer_alone(self, item: _Item) -> Flow[Outcome]:
        try:
            yield from submit(self.model, item.request, Wishes(), patience_s=self.patience_s)
        except WherryError as error:
            if isinstance(error, Unavailable) and not self.pending:
                raise
            return {"error": error.message, "error_type": error.code}
        return {}

    def _note(self, item: _Item, outcome: Outcome) -> Unavailable | None:
        """Note an outcome; the refusal of a job that should be offered again."""
        if "error" in outcome:
            error = from_code(outcome.get("error_type", ""), outcome["error"])
            if isinstance(error, Unavailable) and error.retryable:
                return error
            self.answers[item.index] = error
        else:
            self.pending.setdefault(str(item.request.id), []).append(item)
        return None

    def _wait_for_room(self, refusal: Unavailable) -> Flow[None]:
        if self.pending:
            self.refused_since = None
            return  # ours end, and are read meanwhile
        now = time.monotonic()
        self.refused_since = self.refused_since or now
        if now - self.refused_since >= self.patience_s:
            raise refusal
        yield Pause(POLL_EVERY_S, refusal.message)

    def _read(self) -> Flow[None]:
        if not self.pending:
            return
        # Where there is room for inputs, the next one matters as much as the next answer.
        held_s, asked_at, read = 0.0 if self._room else self.poll_s, time.monotonic(), 0
        ids = list(self.pending)[:_READ]
        for view in (yield from read_many(ids, held_s, patience_s=self.patience_s)):
            answer = yield from self._answer(self.pending[view["id"]][0], view)
            if answer is not None:
                read += 1
                for item in self.pending.pop(view["id"]):
                    self.answers[item.index] = answer
        # The server may answer earlier than asked, even at once.
        pause_s = asked_at + POLL_EVERY_S - time.monotonic()
        if held_s and not read and pause_s > 0:
            yield Pause(pause_s)

    def _answer(self, item: _Item, view: dict[str, Any]) -> Flow[Output | WherryError | None]:
        try:
            if view.get("status") == JobState.SUCCEEDED and "result" not in view:
                # JSON cannot carry it, or the store was away for a moment.
                response = yield from fetch(view["id"], patience_s=self.patience_s)
                return output_of(item.task, response)
            if "error_type" in view:
                return from_code(view["error_type"], view["error"])
            status, failed = JobState(view["status"]), view.get("error")
            if not status.terminal:
                return None
            if failed:
                return from_code(failed["type"], failed["message"])
            failure = no_result(view["id"], status)
            return failure or output_of(item.task, v2.InferenceResponse.parse(view["result"]))
        except Unavailable:
            raise
        except WherryError as error:
            return error


def _size(tensor: v2.Tensor) -> int:
    if tensor.is_raw:
        return memoryview(tensor.data).nbytes
    if tensor.datatype == "BYTES":
        return sum(len(element) for element in tensor.flat())
    return 8 * math.prod(tensor.shape)
