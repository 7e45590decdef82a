"""Celery events for every job, so that Flower lists and counts jobs, not only batches.

They are sent while somebody listens: Redis says of each message how many heard it. While nobody
does, the first batch of each second asks, and its events are sent if anybody is there.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from celery import Celery

from ..jobs.finish import Finished
from ..jobs.outage import Outage
from ..jobs.record import ClaimedJob, Outcome

log = logging.getLogger(__name__)

#: Events that may wait to be sent; more are dropped, for events are a view and never the truth.
_MAX_WAITING = 50_000

#: Seconds between two tries to reach a broker that is away.
_RETRY_S = 1.0

#: Events of one message at most, and seconds that the first of them may wait for company: a message
#: costs as much as thirty events.
_MAX_BUFFERED, _FLUSH_S = 256, 0.1

#: Seconds after which it is asked again whether anybody listens.
_LOOK_S = 1.0

#: The topic of a message of several tasks' events, as Celery's dispatcher sends them.
_TOPIC = "task.multi"


@dataclass(frozen=True, slots=True)
class _Event:
    type: str
    fields: dict[str, Any]  # Celery's own event fields


class JobEvents:
    """Sends events per job from a thread of its own: received, started, and how it ended."""

    def __init__(self, app: Celery, node: str) -> None:
        self._app, self._node = app, node
        self._waiting: queue.Queue[_Event | None] = queue.Queue(_MAX_WAITING)
        self._outage, self._dropping = Outage(log, "events are not sent"), False
        self._stopped = threading.Event()
        self._heard, self._look_at = False, float("-inf")
        self._thread = threading.Thread(target=self._run, name="wherry-events", daemon=True)

    def start(self) -> None:
        """Start sending."""
        self._thread.start()

    def stop(self) -> None:
        """Send what waits, then end; with a broker that is away, end."""
        self._stopped.set()
        if self._thread.is_alive():
            self._put(None)
            self._thread.join(timeout=5)

    def claimed(self, name: str, jobs: Sequence[ClaimedJob]) -> None:
        """Tell that jobs were received and started. `name` is `<task>.<model>`."""
        if not self._wanted():
            return
        now = time.time()
        for job in jobs:
            about = {
                "uuid": job.id,
                "name": name,
                "args": f"rows={job.rows}",
                "kwargs": "{}",
                "retries": job.attempt - 1,
                "eta": None,
                "expires": None,
                "root_id": job.id,
                "parent_id": None,
            }
            self._put(_Event("task-received", {**about, "timestamp": job.created_at_ms / 1000}))
            self._put(_Event("task-started", {"uuid": job.id, "timestamp": now}))

    def finished(self, outcomes: Sequence[Outcome], ended: Finished, runtime_s: float) -> None:
        """Tell how jobs ended, of a late answer nothing. The runtime is the batch's, for each."""
        if not self._wanted():
            return
        for outcome in outcomes:
            if outcome.id in ended.canceled:
                revoked = {"terminated": False, "signum": None, "expired": False}
                self._put(_Event("task-revoked", {"uuid": outcome.id, **revoked}))
            elif outcome.id not in ended.accepted:
                continue
            elif outcome.error_type:
                error = f"{outcome.error_type}: {outcome.error}"
                failed = {"exception": repr(error), "traceback": error}
                self._put(_Event("task-failed", {"uuid": outcome.id, **failed}))
            else:
                succeeded = {"result": "'stored'", "runtime": runtime_s}
                self._put(_Event("task-succeeded", {"uuid": outcome.id, **succeeded}))

    def _wanted(self) -> bool:
        return self._heard or time.monotonic() >= self._look_at

    def _put(self, event: _Event | None) -> None:
        try:
            self._waiting.put_nowait(event)
        except queue.Full:
            if not self._dropping:  # once, however many
                log.warning("events are dropped: Flower will miss some jobs")
            self._dropping = True
        else:
            self._dropping = False

    def _run(self) -> None:
        while not self._send_until_broken():
            if self._stopped.wait(_RETRY_S):
                return

    def _send_until_broken(self) -> bool:
        """Send events until told to stop (True) or until the broker fails (False)."""
        try:
            with (
                self._app.connection_for_write() as connection,
                self._app.events.Dispatcher(
                    connection,
                    hostname=self._node,
                    buffer_group={"task"},
                    buffer_limit=_MAX_BUFFERED,
                    on_send_buffered=None,
                ) as dispatcher,
            ):
                while True:
                    events, last = self._gather()
                    if events and not self._heard:
                        self._ask(connection, dispatcher)
                    if self._heard:
                        for event in events:
                            dispatcher.send(event.type, **event.fields)
                        dispatcher.flush(groups=("task",))
                        self._hear(connection)
                    self._outage.worked()
                    if last:
                        return True
        except Exception as error:
            # The broker is away, or one event was odd: neither may stop the jobs.
            self._outage.failed(type(error).__name__)
            return False

    def _ask(self, connection: Any, dispatcher: Any) -> None:
        """See by a message without events whether anybody listens."""
        dispatcher.producer.publish(
            [],
            routing_key=_TOPIC,
            exchange=dispatcher.exchange.name,
            declare=[dispatcher.exchange],
            serializer=dispatcher.serializer,
            headers=dispatcher.headers,
        )
        self._hear(connection)

    def _hear(self, connection: Any) -> None:
        """Note who heard the last message. Another transport than ours does not know."""
        self._heard = getattr(connection.default_channel, "heard_by", 1) > 0
        self._look_at = time.monotonic() + _LOOK_S

    def _gather(self) -> tuple[list[_Event], bool]:
        """Events for one message; and whether they are the last."""
        events: list[_Event] = []
        wait_s, until = None, 0.0
        while len(events) < _MAX_BUFFERED:
            try:
                event = self._waiting.get(timeout=wait_s)
            except queue.Empty:
                break
            if event is None:
                return events, True
            until = until or time.monotonic() + (_FLUSH_S if self._heard else 0.0)
            wait_s = max(until - time.monotonic(), 0.0)
            events.append(event)
        return events, False
