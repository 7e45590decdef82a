"""The API's place in its fleet: the store that all of it reads, and the word that it lives.

An API whose store is not the one that the others write to would take payloads that no worker finds.
It refuses those, says why, and goes on with all that is small enough for Redis.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator

from ...jobs import AsyncQueue, JobsSettings, queue_format
from ...jobs.call import Call
from ...jobs.fleet import view
from ...jobs.fleet_queue import on_each
from ...jobs.group import Group
from ...jobs.outage import Outage
from ...jobs.processes import digests
from ...jobs.proof import BEAT_S, FleetProof, Proof, is_in, leave, set_proof, shown, write
from ...jobs.queue_format import Build
from ...jobs.reach import answers_of_present
from ...jobs.run_workers import run_workers
from ...jobs.stores import Blob, Store
from ...protocol.errors import NotFound, StoreUnavailable, Unavailable, WherryError
from ...tasks.catalog import Catalog
from ..http.ids import uuid7
from .store_threads import in_store

log = logging.getLogger(__name__)

#: Seconds without any other API after which one that had it wrong from its start says which store
#: is the fleet's.
_LONG_ALONE_S = 120.0


#: Seconds that an API which starts waits for Redis to tell who else is here.
_BEGIN_S = 2.0


class FleetStore:
    """A store that is written to only while it is the fleet's."""

    def __init__(self, store: Store) -> None:
        self.inner, self.name = store, store.name
        #: Why it is not the fleet's; "" while nothing speaks against it.
        self.wrong = ""

    def put(self, key: str, data: bytes) -> str:
        """Store it. Raises StoreUnavailable where nobody would find it."""
        if self.wrong:
            raise StoreUnavailable(self.wrong)
        return self.inner.put(key, data)

    def ref(self, key: str) -> str:
        """What is stored under a key."""
        return self.inner.ref(key)

    def get(self, ref: str) -> bytes:
        """Read it back. Raises NotFound that names the store."""
        try:
            return self.inner.get(ref)
        except NotFound:
            raise self._gone(ref) from None

    def get_range(self, ref: str, offset: int, length: int) -> bytes:
        """Read a stretch of it. Raises NotFound that names the store."""
        try:
            return self.inner.get_range(ref, offset, length)
        except NotFound:
            raise self._gone(ref) from None

    def _gone(self, ref: str) -> NotFound:
        why = self.wrong or "it was removed, or written to another store"
        return NotFound(f"no blob {ref!r} in {self.name}: {why}")

    def delete(self, ref: str) -> None:
        """Remove it."""
        self.inner.delete(ref)

    def url(self, ref: str) -> str | None:
        """A link to it."""
        return self.inner.url(ref)

    def blobs(self, prefix: str = "") -> Iterator[Blob]:
        """What it holds."""
        return self.inner.blobs(prefix)


class Presence:
    """Says that this API lives and what it declares, and sees to the mark in the store.

    The mark is there for whoever looks; where there is none yet, this API writes it. A mark that it
    cannot find is another's while another API lives that can; else the store was emptied or is a
    new one, and gets a mark of its own. Who found another's at its start waits long before it says
    so: the others may only be restarting.
    """

    def __init__(
        self,
        queue: AsyncQueue,
        store: FleetStore,
        catalog: Catalog,
        settings: JobsSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._queue, self._store, self._settings = queue, store, settings
        self._id = uuid7()
        self._catalog = catalog
        self._entitled, self._was_right = True, False
        self._alone_since: float | None = None
        #: The mark that we wrote last: good again when Redis was emptied.
        self._mine: Proof | None = None
        self._outage = Outage(log, "this API cannot show itself to its fleet")
        self._task: asyncio.Task[None] | None = None
        #: Whether an API may live that reads none but plain records.
        self.wants_plain = True
        #: And whether one may that knows the earlier fingerprints alone.
        self.wants_earlier_hash = True
        #: Why this API takes no jobs: who else is here could not read them; "" when it does.
        self.refused = ""

    def check(self) -> None:
        """Raises Unavailable while this API may not take jobs."""
        if self.refused:
            raise Unavailable(self.refused)

    async def begin(self) -> None:
        """See who else is here before the first job comes, as far as Redis tells."""
        with contextlib.suppress(WherryError, TimeoutError):
            async with asyncio.timeout(_BEGIN_S):
                await self._compare(await self._queue.run(shown(self._settings)))

    def start(self) -> None:
        """Go on looking."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Look no more, and say goodbye."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        gone = leave(self._id, self._settings)
        await on_each(self._queue, lambda one: one.run(gone))  # who is away finds out

    async def look(self) -> None:
        """One look. Raises Unavailable, StoreUnavailable; then nothing is known."""
        seen = await self._queue.run(shown(self._settings))
        goes_back = not self._settings.compact_records
        self.wants_plain = seen.wants_plain or goes_back
        self.wants_earlier_hash = seen.wants_earlier_hash or goes_back
        await self._compare(seen)
        others = [api for api in seen.apis if api != self._id]
        if await self._has(seen.proof):
            self._found()
        elif self._may_mark(alone=not others):
            if not await self._mark(seen.proof):
                return  # another did; the next look tells
            self._found()
        else:
            self._miss(seen)
            return
        tasks = {
            Group(model.family, model.name, model.version).model_id: model.task
            for model in self._catalog.models
        }
        said = {"declared": digests(self._catalog.models), "refused": self.refused}
        beat = shown(self._settings, api=self._id, tasks=tasks, said=said)
        proof = (await self._queue.run(beat)).proof
        answers = await on_each(self._queue, lambda one: self._show(one, beat, proof))
        answers_of_present(answers[1:])

    async def _show(self, queue: AsyncQueue, beat: Call[FleetProof], proof: Proof | None) -> None:
        """Show the same on a Redis that families have of their own: they share the store."""
        if queue is self._queue.parts[0]:
            return
        seen = await queue.run(beat)
        if proof is not None and seen.proof != proof:
            await queue.run(set_proof(proof, seen.proof, self._settings))

    async def _compare(self, seen: FleetProof) -> None:
        """Hold the queue's format as we know it against that of the APIs which were here before,
        and of workers that have not left the queue alone yet.
        """
        ours = queue_format.OURS
        found = [
            ours.why_not(build, seen.name(api))
            for api, build in seen.builds(serving=True).items()
            if api < self._id  # ids are in the order in which APIs began
        ]
        fleet = await self._queue.run(view(self._settings))
        of_runs = await self._queue.run(run_workers(self._settings))
        infos = {**{each.id: each.info for each in fleet.workers if each.alive}, **of_runs}
        found += [
            ours.why_not(Build.of(info), f"worker {worker}")
            for worker, info in infos.items()
            if not Build.of(info).knows_formats or info.get("state") == "ready"
        ]
        wrong = next(filter(None, found), "")
        if wrong and wrong != self.refused:
            log.error("this API takes no jobs: %s", wrong)
        elif self.refused and not wrong:
            log.warning("this API takes jobs: who could not read them is gone")
        self.refused = wrong

    def _may_mark(self, *, alone: bool) -> bool:
        if not alone:
            self._alone_since = None
            return False
        if self._alone_since is None:
            self._alone_since = self._clock()
        return self._entitled or self._clock() - self._alone_since >= _LONG_ALONE_S

    async def _has(self, proof: Proof | None) -> bool:
        return proof is not None and await in_store(is_in, self._store.inner, proof)

    async def _mark(self, old: Proof | None) -> bool:
        kept = self._mine if old is None and await self._has(self._mine) else None
        new = kept if kept is not None else await in_store(write, self._store.inner)
        if not await self._queue.run(set_proof(new, old, self._settings)):
            if not kept:
                await in_store(self._store.delete, new.ref)
            return False
        self._mine = new
        if old is not None:
            log.warning(
                "%s has not the mark of %s, and no other API lives: it is this fleet's store now."
                " If it is the same, it was emptied or its mount is lost",
                self._store.name,
                old.store,
            )
        return True

    def _found(self) -> None:
        if self._store.wrong:
            log.warning("the blob store is this fleet's again: %s", self._store.name)
        self._store.wrong, self._was_right, self._entitled = "", True, True

    def _miss(self, seen: FleetProof) -> None:
        theirs = f" ({seen.proof.store})" if seen.proof else ""
        if not self._store.wrong:
            self._entitled = self._entitled and self._was_right
            self._store.wrong = (
                f"this API's blob store ({self._store.name}) is not the one that the other APIs of"
                f" this fleet use{theirs}: give all the same WHERRY_STORE_URL or WHERRY_STORE_DIR"
            )
            log.error("%s", self._store.wrong)

    async def _run(self) -> None:
        while True:
            with self._outage.survived():
                await self.look()
            await asyncio.sleep(BEAT_S)
