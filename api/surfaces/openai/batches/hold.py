"""A batch while this process owns it: its progress saved under a lease that is kept alive."""

from __future__ import annotations

import asyncio
import contextlib

from .....jobs.batches import Batch, BatchProgress, BatchStatus, save_batch
from .....protocol.errors import WherryError
from ....core.service import Service
from .expiry import record_kept_s

#: Leases renewed before they run out, and how soon at the latest a cancellation is heard.
_BEATS_A_LEASE, _BEAT_S = 4, 1.0

#: Seconds between two tries to save while Redis is away.
_RETRY_S = 0.5


class LeaseLostError(Exception):
    """Another process has the batch; whatever we still know of it is of no use."""


class Hold:
    """One batch, its owner, and what it was told meanwhile."""

    def __init__(self, service: Service, batch: Batch, owner: str) -> None:
        self.asked, self.progress, self.status = batch.asked, batch.progress, batch.status
        #: Set once there is news: the batch is to end, or is no longer ours.
        self.news = asyncio.Event()
        self.lost = False
        self._service, self._owner = service, owner
        self._saved = batch.progress.model_copy()
        self._saving = asyncio.Lock()

    @property
    def id(self) -> str:
        """The batch's id."""
        return self.asked.id

    async def save(self, status: BatchStatus | None = None) -> None:
        """Save the progress, and a new status unless the batch got another meanwhile.

        A Redis that is away is waited for. Raises LeaseLostError.
        """
        was = self.status
        while True:
            with contextlib.suppress(WherryError):
                await self._save(was, status or was, self.progress)
                self._saved = self.progress.model_copy()
                return
            await asyncio.sleep(_RETRY_S)

    async def _save(
        self,
        was: BatchStatus,
        status: BatchStatus,
        progress: BatchProgress | None = None,
        *,
        give_back: bool = False,
    ) -> None:
        lease_s = 0 if give_back else self._service.jobs.lease_ttl_s
        async with self._saving:
            found = await self._service.queue.run(
                save_batch(
                    self.asked,
                    self._owner,
                    was=was,
                    status=status,
                    progress=progress,
                    lease_s=lease_s,
                    kept_s=record_kept_s(self.asked, self._service.settings),
                    settings=self._service.jobs,
                )
            )
            if found is None:
                self.lost = True
                self.news.set()
                raise LeaseLostError(self.id)
            if found is BatchStatus.CANCELLING and self.status is not found:
                self.news.set()
            self.status = found

    def rewind(self) -> BatchProgress:
        """Forget what was not saved: its lines are in no part. Answers what is left."""
        self.progress = self._saved.model_copy()
        return self.progress

    async def beat(self) -> None:
        """Keep the lease alive until it is lost or the batch has ended."""
        pause_s = min(_BEAT_S, self._service.jobs.lease_ttl_s / _BEATS_A_LEASE)
        with contextlib.suppress(LeaseLostError):
            while not self.status.terminal:
                await asyncio.sleep(pause_s)
                with contextlib.suppress(WherryError):
                    await self._save(self.status, self.status)

    async def give_back(self) -> None:
        """Let another process take the batch at once."""
        with contextlib.suppress(WherryError, LeaseLostError):
            await self._save(self.status, self.status, give_back=True)
