"""Large payloads and results on their way from and to the blob store, by the operator's policy."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, NamedTuple, TypeVar

from ..jobs.call import Queue
from ..jobs.orphans import references, result_key
from ..jobs.record import ClaimedJob, Outcome
from ..jobs.settings import JobsSettings
from ..jobs.stores import Store
from ..protocol.errors import BackendError, StoreUnavailable, Unavailable, WherryError
from ..tasks.backends.base import NotAnsweredError
from .batch import Encoded

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Calls to the store that one worker makes side by side.
_AT_ONCE = 8

#: Seconds between two tries while the store is away: the first pause, and the longest.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0

#: Seconds for which a store that was just away is not asked again by those who do not wait: each
#: row of a batch would else spend all of the store's own retries.
_CLOSED_S = 1.0

Policy = Literal["fail", "wait"]


class InterruptedWaitError(StoreUnavailable):
    """The worker stops while it waits for a payload or a place for a result."""


class JobAnswer(NamedTuple):
    """What a job's attempt ended with, and where its result is if the store has it."""

    encoded: Encoded
    ref: str = ""

    @property
    def interrupted(self) -> bool:
        """Whether the job is to go back unharmed: the worker stops before its store came back, or
        its model is remote and away.
        """
        return isinstance(self.encoded.error, InterruptedWaitError | NotAnsweredError)

    def outcome(self) -> Outcome:
        """As finish takes it."""
        return self.encoded.outcome(self.ref)


class Blobs:
    """One worker's way to the store. Batches' threads share it.

    The store itself tries a call some times. If that was for nothing, `fail` gives the job the
    error; `wait` goes on trying for `wait_s` from when the store went away, and holds the job.
    """

    def __init__(
        self,
        store: Store,
        queue: Queue,
        jobs: JobsSettings,
        *,
        policy: Policy,
        wait_s: float,
        stopping: threading.Event,
        rejoined: Callable[[], None] = lambda: None,
    ) -> None:
        self._rejoined = rejoined
        self._store, self._queue, self._jobs = store, queue, jobs
        self._policy, self._wait_s, self._stopping = policy, wait_s, stopping
        self._lock = threading.Lock()
        self._away_since: float | None = None
        self._failed_at = float("-inf")
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="wherry-blobs")

    def payloads(self, jobs: Sequence[ClaimedJob]) -> list[bytes | WherryError]:
        """The jobs' request bytes, from Redis or the store."""
        inline = self._inline([job.payload_key for job in jobs])
        large = [job.payload_ref for job in jobs if job.payload_ref]
        if not large:
            return list(inline)
        fetched = iter(list(self._pool.map(self._fetch, large)))
        return [
            next(fetched) if job.payload_ref else value
            for job, value in zip(jobs, inline, strict=True)
        ]

    def keep(self, answers: Sequence[Encoded], worker: str) -> list[JobAnswer]:
        """Put the large results into the store."""
        large = [a for a in answers if len(a.body) > self._jobs.inline_max_bytes]
        if not large:  # as nearly always
            return [JobAnswer(answer) for answer in answers]
        kept = iter(list(self._pool.map(lambda answer: self._keep(answer, worker), large)))
        return [
            next(kept) if len(answer.body) > self._jobs.inline_max_bytes else JobAnswer(answer)
            for answer in answers
        ]

    def forget(self, ref: str) -> None:
        """Remove a blob; one that stays behind is the sweeper's."""
        try:
            self._store.delete(ref)
        except WherryError as error:
            log.warning("blob %s stays behind: %s", ref, error.message)

    def _is_replicated(self) -> bool:
        """Whether no failover takes back that jobs have ended, which would need payloads again.

        What stays behind is the sweeper's.
        """
        least = self._jobs.min_replicas
        return not least or self._queue.is_replicated(least, self._jobs.min_replicas_timeout_s)

    def settle(
        self, jobs: Sequence[ClaimedJob], outcomes: Sequence[Outcome], accepted: frozenset[str]
    ) -> None:
        """After finish: remove what the jobs want no more.

        What was not accepted may run elsewhere, and then needs its payload. Or it was accepted
        under our eyes: when a reply is lost, the second try comes too late for the first.
        """
        done = [job.payload_ref for job in jobs if job.payload_ref and job.id in accepted]
        if done and self._is_replicated():
            for ref in done:
                self.forget(ref)
        for outcome in outcomes:
            if not outcome.result_ref or outcome.id in accepted:
                continue
            try:
                job_now = self._queue.run(references(outcome.id, self._jobs))
            except WherryError:
                continue  # the sweeper will know
            if job_now is None or job_now.result_ref != outcome.result_ref:
                self.forget(outcome.result_ref)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def _inline(self, keys: Sequence[str]) -> Sequence[bytes | WherryError]:
        """Payloads from Redis. While it is away, the claim is held and they are asked for again."""
        while True:
            try:
                return [_present(value) for value in self._queue.values(keys)]
            except Unavailable as error:
                log.warning("payloads wait: %s", error.message)
            if self._stopping.wait(_FIRST_PAUSE_S):
                return [InterruptedWaitError()] * len(keys)

    def _fetch(self, ref: str) -> bytes | WherryError:
        try:
            return self._ask(lambda: self._store.get(ref))
        except WherryError as error:
            return error

    def _keep(self, answer: Encoded, worker: str) -> JobAnswer:
        key = result_key(answer.job.id, answer.job.attempt, worker)
        try:
            return JobAnswer(answer, self._ask(lambda: self._store.put(key, answer.body)))
        except WherryError as error:
            return JobAnswer(Encoded(answer.job, error=error))

    def _ask(self, operation: Callable[[], T]) -> T:
        self._forget_old_outage()
        pause_s = _FIRST_PAUSE_S
        while True:
            if self._policy == "fail" and time.monotonic() - self._failed_at < _CLOSED_S:
                raise StoreUnavailable
            try:
                answer = operation()
            except StoreUnavailable as error:
                waited_s = self._note_failure(error)
                if self._policy == "fail" or waited_s >= self._wait_s:
                    raise
            else:
                with self._lock:
                    was_away, self._away_since = self._away_since is not None, None
                if was_away:
                    self._rejoined()
                return answer
            # Up to a half less: the workers that wait must not all come back at once.
            if self._stopping.wait(pause_s * random.uniform(0.5, 1)):  # noqa: S311 # no secret
                raise InterruptedWaitError
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _forget_old_outage(self) -> None:
        """Nobody has asked for a while: what comes now is another outage."""
        with self._lock:
            if time.monotonic() - self._failed_at > 2 * _LONGEST_PAUSE_S:
                self._away_since = None

    def _note_failure(self, error: StoreUnavailable) -> float:
        """How long the store has been away."""
        with self._lock:
            now = self._failed_at = time.monotonic()
            if self._away_since is None:
                self._away_since = now
                log.warning("%s (policy: %s)", error.message, self._policy)
            return now - self._away_since


def _present(value: bytes | None) -> bytes | WherryError:
    return BackendError("the payload is gone") if value is None else value
