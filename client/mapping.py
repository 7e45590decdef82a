"""`map`: any number of inputs through the fleet, with bounded memory, in order."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from ..protocol import v2
from ..protocol.errors import Unavailable, WherryError, from_code
from ..tasks.base import Task
from .flow import Flow, Pause, Reply, Step
from .jobs import JobView
from .operations import (
    POLL_S,
    Input,
    Output,
    Wishes,
    output_of,
    read_many,
    request_of,
    submit_many,
    task_of,
)

#: Jobs in one submission.
_CHUNK = 64
#: Bytes in one submission, so that a chunk of large images stays far under the server's limit.
_CHUNK_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class NeedInput:
    """The flow asks its driver for the next input."""


@dataclass(frozen=True, slots=True)
class Emit:
    """The flow hands its driver the next answer."""

    answer: Output | WherryError


@dataclass(slots=True)
class _Item:
    index: int
    request: v2.InferenceRequest
    task: Task | None
    size: int


#: A map yields steps, asks for inputs (an Input, or None at their end) and emits answers.
MapStep = Step | NeedInput | Emit
MapFlow = Generator[MapStep, Reply | Input | None, None]


@dataclass(slots=True)
class MapRun:
    """The state of one map: what waits to be sent, what is in flight, what is answered."""

    model: str
    wishes: Wishes
    in_flight: int
    patience_s: float
    to_send: deque[_Item] = field(default_factory=deque)
    pending: dict[str, _Item] = field(default_factory=dict)
    answers: dict[int, Output | WherryError] = field(default_factory=dict)
    taken: int = 0
    emitted: int = 0
    exhausted: bool = False

    def run(self) -> MapFlow:
        """Answer every input, in order."""
        while True:
            yield from self._take_inputs()
            yield from _steps(self._send())
            yield from _steps(self._read())
            while self.emitted in self.answers:
                yield Emit(self.answers.pop(self.emitted))
                self.emitted += 1
            if self.exhausted and self.emitted == self.taken:
                return

    def _take_inputs(self) -> MapFlow:
        # Answers that wait for an earlier one count too: that is what bounds the memory.
        while not self.exhausted and self.taken - self.emitted < self.in_flight:
            given = yield NeedInput()
            if given is None:
                self.exhausted = True
                return
            assert not isinstance(given, Reply)
            request = request_of(given, self.wishes)
            size = sum(_size(tensor) for tensor in request.inputs)
            self.to_send.append(_Item(self.taken, request, task_of(given), size))
            self.taken += 1

    def _send(self) -> Flow[None]:
        while self.to_send:
            chunk: list[_Item] = []
            size = 0
            while self.to_send and len(chunk) < _CHUNK and size < _CHUNK_BYTES:
                chunk.append(self.to_send.popleft())
                size += chunk[-1].size
            requests = [item.request for item in chunk]
            outcomes = yield from submit_many(self.model, requests, patience_s=self.patience_s)
            full = [i for i, o in zip(chunk, outcomes, strict=True) if not self._accepted(i, o)]
            if full:
                # The server's queue is full: let it drain before offering these again.
                self.to_send.extendleft(reversed(full))
                if not self.pending:
                    yield Pause(1.0)
                return

    def _accepted(self, item: _Item, outcome: dict[str, Any]) -> bool:
        """Note an outcome; False when the job should be offered again."""
        if "error" in outcome:
            error = from_code(outcome.get("error_type", ""), outcome["error"])
            if isinstance(error, Unavailable):
                return False
            self.answers[item.index] = error
        else:
            self.pending[str(item.request.id)] = item
        return True

    def _read(self) -> Flow[None]:
        if not self.pending:
            return
        ids = list(self.pending)[:1000]
        for view in (yield from read_many(ids, POLL_S, patience_s=self.patience_s)):
            answer = _answer(self.pending[view["id"]], view)
            if answer is not None:
                self.answers[self.pending.pop(view["id"]).index] = answer


def _steps(flow: Flow[None]) -> MapFlow:
    """A flow that asks for no input, as part of a map's."""
    reply: Reply | None = None
    while True:
        try:
            step = next(flow) if reply is None else flow.send(reply)
        except StopIteration:
            return
        given = yield step
        assert isinstance(given, Reply)
        reply = given


def _answer(item: _Item, view: dict[str, Any]) -> Output | WherryError | None:
    if "error_type" in view:
        return from_code(view["error_type"], view["error"])
    job = JobView.model_validate(view)
    if not job.done:
        return None
    failure = job.failure()
    if failure is not None:
        return failure
    return output_of(item.task, v2.InferenceResponse.parse(job.result))


def _size(tensor: v2.Tensor) -> int:
    if tensor.is_raw:
        return memoryview(tensor.data).nbytes
    if tensor.datatype == "BYTES":
        return sum(len(element) for element in tensor.flat())
    return 8 * math.prod(tensor.shape)
