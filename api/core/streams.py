"""Tokens on their way to a client: a job's chunks from Redis, each token once.

A worker that dies starts its job anew elsewhere, from the first token on. What was told before is
then passed over, so that nobody sees a token twice; drawn texts have a seed for that reason. Should
the second text differ all the same (another kind of device), the stream breaks with an error.
"""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections.abc import AsyncIterator
from typing import NamedTuple

from fastapi import Request

from ...jobs.record import Submission
from ...jobs.token_stream import START, read_chunks
from ...protocol.errors import Unavailable, WorkerLost
from ...tasks.base import TaskInput, TaskOutput
from ...tasks.catalog import ModelDeclaration
from ...tasks.text.generation import GenerationInput, GenerationOutput
from ...tasks.text.tokens import Chunk, Token
from .new_job import PreparedJob
from .run_and_wait import EndedJob, abandon, go_on, keep_answer, no_answer, output, prepare
from .service import Service

#: Seconds between two looks while Redis is away.
_RETRY_S = 0.5

#: Seconds of silence after which a reader is told so: proxies close quiet streams.
_KEEP_ALIVE_S = 15.0


class UnseenTokens:
    """Keeps the tokens of every row that have not been seen."""

    def __init__(self) -> None:
        self._seen: dict[int, list[int]] = {}

    def new(self, chunk: Chunk) -> list[Token]:
        """The chunk's unseen tokens. Raises WorkerLost when it contradicts what was seen."""
        seen = self._seen.setdefault(chunk.row, [])
        known = max(0, len(seen) - chunk.at)
        again = [token.id for token in chunk.tokens[:known]]
        if chunk.at > len(seen) or again != seen[chunk.at : chunk.at + len(again)]:
            raise WorkerLost("the worker was lost, and the text cannot be gone on with: try again")
        fresh = chunk.tokens[known:]
        seen.extend(token.id for token in fresh)
        return fresh


class Stream:
    """One job's tokens, then its answer."""

    def __init__(
        self, service: Service, model: ModelDeclaration, job_id: str, *, until: float | None = None
    ) -> None:
        self._service, self._model, self.job_id = service, model, job_id
        #: When it has to be at its end, on the monotonic clock.
        self.until = until or time.monotonic() + service.settings.infer_timeout_s
        self._ended = False

    @classmethod
    async def start(
        cls,
        request: Request,
        model: ModelDeclaration,
        given: TaskInput,
        *,
        until: float | None = None,
    ) -> Stream:
        """Submit an input, to be answered by then. Raises what the intake refuses."""
        if isinstance(given, GenerationInput) and given.do_sample and given.seed is None:
            given = given.model_copy(update={"seed": secrets.randbits(62)})
        service = Service.of(request)
        prepared = await prepare(request, model, given, stream=True)
        return cls(service, model, (await store_streamed(service, prepared)).id, until=until)

    async def tokens(self, *, prompt: bool = False) -> AsyncIterator[tuple[int, Token] | None]:
        """Rows and their tokens, until the job has ended; None when it is silent for long.

        Those of the prompt are passed over, unless they are wished for. Raises WorkerLost,
        JobNotFound, and DeadlineExceeded with its path, as for any answer that is waited for.
        """
        reader = UnseenTokens()
        async for placed in chunks(self._service, self.job_id, until=self.until):
            if placed is None:
                yield None
                continue
            for token in reader.new(placed.chunk):
                if prompt or not token.prompt:
                    yield placed.chunk.row, token
        self._ended = True

    async def answer(self) -> TaskOutput:
        """The whole answer, once the tokens are at their end. Raises the job's error."""
        record = await self._service.record(self.job_id)
        return await output(self._service, self._model, EndedJob(self.job_id, record.status))

    def leave(self) -> None:
        """Cancel the job if it has not ended: nobody else knows it. Call it when all is over.

        After the time for its answer the job goes on: its client was told to poll.
        """
        if self._ended:
            return
        if time.monotonic() < self.until:
            abandon(self._service, self.job_id)
        else:
            go_on(keep_answer(self._service, self.job_id))


async def store_streamed(service: Service, prepared: PreparedJob) -> Submission:
    """Store a job whose answer is read as it is written: it stays as long as what it has told."""
    brief_s = max(service.jobs.delivered_ttl_s, service.jobs.stream_ttl_s)
    return await service.submitter.store(prepared, brief_s=brief_s)


class StreamedChunk(NamedTuple):
    """A chunk, and the place after which to read on."""

    place: str
    chunk: Chunk


async def chunks(
    service: Service, job_id: str, after: str = START, *, until: float = math.inf
) -> AsyncIterator[StreamedChunk | None]:
    """A job's chunks after a place, until it has ended; None when it is silent for long.

    Raises DeadlineExceeded for one that has not by then, on the monotonic clock.
    """
    with service.waiters.watching([job_id], every_change=True) as watch:
        heard_at = time.monotonic()
        while True:
            watch.clear()
            try:
                # The state first: what is told after a job's end is none of its.
                record = await service.record(job_id)
                entries = await service.queue.run(read_chunks(job_id, after, service.jobs))
            except Unavailable:
                if time.monotonic() >= until:
                    raise no_answer(job_id) from None
                await asyncio.sleep(_RETRY_S)
                continue
            for entry in entries:
                after, heard_at = entry.place, time.monotonic()
                yield StreamedChunk(after, Chunk.model_validate_json(entry.chunk))
            if record.status.terminal and not entries:
                return
            left = until - time.monotonic()
            if left <= 0 and not record.status.terminal:
                raise no_answer(job_id)
            if entries:
                continue  # there may be more
            await watch.heard(min(_KEEP_ALIVE_S, left))
            if time.monotonic() - heard_at > _KEEP_ALIVE_S:
                heard_at = time.monotonic()
                yield None


def rest(row: int, seen: str, answer: TaskOutput) -> str:
    """What a row's whole text has beyond what was told of it."""
    if not isinstance(answer, GenerationOutput):
        return ""
    whole = answer.generations[row].text
    return whole[len(seen) :] if whole.startswith(seen) else ""
