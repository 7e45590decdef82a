"""Whether tickets still reach this worker: Celery's consumer can be connected and yet deaf.

Its known ways: a socket that is open on our side only, a reconnection that forgot to subscribe,
message credit that was never given back. None of them raises anything, so the look is from end to
end: jobs wait, a thread is free, and no ticket comes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from redis.exceptions import ConnectionError as BrokenConnection

from ..jobs.group import Group
from ..telemetry.worker_metrics import consumer_restarted
from .threads import die

log = logging.getLogger(__name__)

#: Restarts of the consumer that may change nothing; after them the process ends itself.
_MAX_RESTARTS = 2


class Consuming:
    """Watches that tickets come while jobs of this worker's families wait and a thread is free.

    After `patience_s` of silence the consumer is restarted, after two restarts in vain the process
    is. Half-way it asks for a ticket through `probe`: if a healthy worker had none, there was none.
    """

    def __init__(
        self,
        *,
        threads: int,
        patience_s: float,
        families: Callable[[], Collection[str]],
        probe: Callable[[Sequence[Group]], object],
        restart: Callable[[], None],
        end: Callable[[str], None] = die,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._threads, self._patience_s = threads, patience_s
        #: Whose tickets this worker should hear.
        self.families = families
        self._probe = probe
        self._restart, self._end, self._clock = restart, end, clock
        self._lock = threading.Lock()
        self._busy = 0
        self._restarts = 0
        self._silent_since: float | None = None
        self._probed = False

    @contextmanager
    def serving(self) -> Iterator[None]:
        """A ticket came; a thread is taken until it is served."""
        with self._lock:
            self._busy += 1
            self._restarts = 0
            self._silent_since = None
        try:
            yield
        finally:
            with self._lock:
                self._busy -= 1
                self._silent_since = None

    def forget(self) -> None:
        """Count anew: Redis was away, or Celery's consumer has just (re)started by itself."""
        with self._lock:
            self._silent_since = None

    def look(self, waiting: Sequence[Group]) -> None:
        """Judge by some groups of `families` that wait now. Call it twice a second or so."""
        with self._lock:
            if not waiting or self._busy >= self._threads:
                self._silent_since = None
                return
            if self._silent_since is None:
                self._silent_since, self._probed = self._clock(), False
                return
            silent_s = self._clock() - self._silent_since
            probe = not self._probed and silent_s >= self._patience_s / 2
            self._probed |= probe
        if probe:
            self._probe(waiting)
        elif silent_s >= self._patience_s:
            self._mend(silent_s, waiting)

    def _mend(self, silent_s: float, waiting: Sequence[Group]) -> None:
        if self._restarts >= _MAX_RESTARTS:
            self._end(
                f"no ticket came for {silent_s:.0f} s while jobs waited ({waiting[0].id}, ...),"
                f" and {self._restarts} restarts of the consumer changed nothing"
            )
        self._restarts += 1
        self.forget()
        log.error(
            "no ticket came for %.0f s while jobs waited (%s, ...) and a thread was free: the"
            " consumer is restarted",
            silent_s,
            waiting[0].id,
        )
        consumer_restarted()
        self._restart()


def restart_consumer(consumer: Any) -> None:  # celery.worker.consumer.Consumer ships no types
    """Make Celery's consumer connect and subscribe anew, from any thread.

    It does so when its event loop meets a broken connection, so it is given one; what runs in the
    pool goes on. `app.control` would go through the very consumer that does not listen.
    """

    def break_off() -> None:
        raise BrokenConnection("Wherry restarts a consumer that hears nothing")

    consumer.call_soon(break_off)


class Listening:
    """Leaves the tickets of a worker's families to others, and takes them again."""

    def __init__(self, consumer: Callable[[], Any], families: Collection[str]) -> None:
        self._consumer, self._families = consumer, families
        #: Those that were left by us: what an operator has canceled stays so.
        self._left: set[str] = set()

    def set(self, on: bool) -> None:
        """Listen, or do not; as soon as the consumer has the time, if there is one yet."""
        consumer = self._consumer()
        if consumer is None or consumer.task_consumer is None:
            return  # whoever judges comes again
        if on:
            for family in self._left:
                consumer.call_soon(consumer.add_task_queue, family)
            self._left.clear()
            return
        for family in self._families:
            if family in consumer.app.amqp.queues.consume_from:
                self._left.add(family)
                consumer.call_soon(consumer.cancel_task_queue, family)
