"""Sending what the rows of a batch say while they are written, a few times a second."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from ..jobs.outage import Outage
from ..jobs.record import ClaimedJob
from ..protocol.errors import WherryError
from ..tasks.text.tokens import Chunk, Listener, Token

log = logging.getLogger(__name__)

#: Seconds between two sendings: readers see words, not each token, and Redis has a rest.
_INTERVAL_S = 0.03

#: Seconds from one that failed to the next: it took two of the model's, with the queue's own tries.
_PAUSE_S = 5.0

#: Sends chunks; answers the ids that nobody wants to hear more of.
Send = Callable[[Sequence[tuple[ClaimedJob, bytes]]], frozenset[str]]


class TokenSender:
    """What the jobs of one batch say. One thread uses it: the one that runs the model."""

    def __init__(self, send: Send, clock: Callable[[], float] = time.monotonic) -> None:
        self._send, self._clock = send, clock
        self._pending: dict[tuple[str, int], _Pending] = {}
        self._unwanted: frozenset[str] = frozenset()
        self._due_at = float("-inf")  # a first token goes out at once
        self._outage = Outage(log, "chunks wait")

    def listener(self, job: ClaimedJob, row: int) -> Listener:
        """Who hears the tokens of a job's row. One that is run anew needs a new listener."""
        made = 0

        def hear(token: Token) -> bool:
            nonlocal made
            pending = self._pending.setdefault((job.id, row), _Pending(job, made))
            if made < pending.at + len(pending.tokens):  # the row began anew, unsent
                pending = self._pending[job.id, row] = _Pending(job, made)
            pending.tokens.append(token)
            made += 1
            if self._clock() >= self._due_at:
                self.flush()
            return job.id not in self._unwanted

        return hear

    def flush(self) -> None:
        """Send what is pending. A queue that is away or full is tried again with later tokens: the
        whole answer comes in the end, whatever was told of it.
        """
        self._due_at = self._clock() + _INTERVAL_S
        chunks = [(p.job, p.chunk(row)) for (_, row), p in self._pending.items() if p.tokens]
        if not chunks:
            return
        try:
            self._unwanted |= self._send(chunks)
        except WherryError as error:
            self._outage.failed(error.message)
            self._due_at = self._clock() + _PAUSE_S
            return
        self._outage.worked()
        self._pending.clear()


class _Pending:
    """Tokens of one row that are not sent yet."""

    def __init__(self, job: ClaimedJob, at: int) -> None:
        self.job, self.at = job, at
        self.tokens: list[Token] = []

    def chunk(self, row: int) -> bytes:
        return Chunk(row=row, at=self.at, tokens=self.tokens).model_dump_json().encode()
