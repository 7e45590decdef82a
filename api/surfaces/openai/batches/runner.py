"""Who runs batches: every API process takes some that nobody is at, one after another."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from fastapi import FastAPI

from .....jobs.batches import BatchError, take_batch
from .....jobs.owned import NOBODY
from .....protocol.errors import NotFound, WherryError
from ....access.caller import EVERYONE, Caller, caller
from ....core.service import Service
from ....http.ids import uuid7
from .hold import Hold, LeaseLostError
from .work import Work

log = logging.getLogger(__name__)

#: Seconds between two looks for batches that another process left behind.
_LOOK_S = 3.0

#: Seconds that a batch waits which Redis or the store keeps from going on; after faults of ours as
#: many times as long.
_PAUSE_S = 1.0

#: Runs of one batch that a fault of ours may break off.
_MOST_FAULTS = 3


class Runner:
    """Takes batches and runs them, some at a time."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._service: Service = app.state.service
        self._news = asyncio.Event()
        self._runs: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look for batches, if this process is to run any."""
        if self._service.settings.batches_at_once:
            self._task = asyncio.create_task(self._look())

    def kick(self) -> None:
        """Look now: there is a new batch."""
        self._news.set()

    async def stop(self) -> None:
        """Leave every batch to others, as far as it has come."""
        tasks = [*self._runs, *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            self._news.clear()
            with contextlib.suppress(WherryError):
                while len(self._runs) < self._service.settings.batches_at_once:
                    if not await self._take():
                        break
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self._news.wait()

    async def _take(self) -> bool:
        jobs, owner = self._service.jobs, uuid7()
        batch = await self._service.queue.run(take_batch(owner, jobs.lease_ttl_s, jobs))
        if batch is None:
            return False
        task = asyncio.create_task(self._run(Hold(self._service, batch, owner)))
        self._runs.add(task)
        task.add_done_callback(self._ended)
        return True

    def _owner(self, tenant: str) -> Caller:
        """Whom a batch is run for: an operator's own, or a tenant as its keys are now."""
        return EVERYONE if tenant == NOBODY else self._app.state.keys.tenant(tenant)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._runs.discard(task)
        self.kick()

    async def _run(self, hold: Hold) -> None:
        beating = asyncio.create_task(hold.beat())
        # A task of its own has a context of its own: this caller ends with it.
        caller.set(self._owner(hold.asked.tenant))
        work = Work(self._app, hold)
        try:
            await work.run()
        except LeaseLostError:
            log.info("batch %s went to another process", hold.id)
        except asyncio.CancelledError:
            await hold.give_back()
            raise
        except NotFound as error:
            with contextlib.suppress(LeaseLostError, WherryError):
                await work.fail(BatchError(code="file_gone", message=error.message))
        except WherryError as error:
            log.warning("batch %s waits: %s", hold.id, error.message)
            await asyncio.sleep(_PAUSE_S)
            await hold.give_back()
        except Exception:
            log.exception("batch %s broke off", hold.id)
            await self._fault(hold, work)
        finally:
            beating.cancel()

    async def _fault(self, hold: Hold, work: Work) -> None:
        """Let the batch be tried again some time, but not for ever."""
        progress = hold.rewind()
        progress.faults += 1
        with contextlib.suppress(LeaseLostError, WherryError):
            if progress.faults >= _MOST_FAULTS:
                await work.fail(BatchError(code="internal_error", message="internal error"))
            else:
                await hold.save()
                await asyncio.sleep(_PAUSE_S * progress.faults)
                await hold.give_back()
