"""Running one batch, from wherever it stands to its end.

Each line's answer goes to one of two files, in the order of the lines. A save names the parts of
both and the place in the input together, so whoever goes on from it adds what is missing and no
more; the jobs of lines that were under way have the same names again, and are not run twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from .....jobs.batches import BatchError, BatchStatus, forget_soon, output_keys
from .....jobs.files import get_file, hold_file
from .....jobs.recover import cancel
from .....protocol.errors import NotFound, WherryError
from ....access.caller import caller
from ....core.blob_removal import remove_later
from ....core.job_names import nth_job_id
from ....core.service import Service
from .answers import LineResponse, answer
from .check import Check
from .ends import write_files
from .expiry import input_gone
from .growing import PART_BYTES, Growing
from .hold import Hold, LeaseLostError
from .lines import Line, LineRequest, LineTooLongError, read_line, read_lines
from .window import LineWindow

#: Seconds after which progress is saved, if there is some.
_SAVE_S = 1.0

#: Seconds that an answered line's job stays: whoever goes on from an older save finds it. Its
#: result stays longer, so that no job is found without.
_JOB_KEPT_S = 15

#: Jobs that one line may have made; more of a line are left to run.
_MOST_JOBS = 4

#: What stands in the answer's place where a line was not run: in OpenAI's codes.
_EXPIRED = LineResponse(
    0, code="batch_expired", message="the batch's time was up before this line ran"
)
_CANCELLED = LineResponse(
    0, code="batch_cancelled", message="the batch was cancelled before it ran"
)


class Work:
    """One batch under way, for the caller that is set: its owner."""

    def __init__(self, app: FastAPI, hold: Hold) -> None:
        service: Service = app.state.service
        self._app, self._service, self._hold, self._progress = app, service, hold, hold.progress
        self._owner = caller.get()
        store, saved = service.store, hold.progress
        self._output = Growing(store, output_keys(hold.id, "output"), saved.output)
        self._error = Growing(store, output_keys(hold.id, "error"), saved.error)
        self._window = LineWindow(service.settings.batch_window, self._answer_line)
        self._saved_at = time.monotonic()
        self._answered: list[str] = []

    async def run(self) -> None:
        """Go on until the batch has ended. Raises LeaseLostError."""
        hold, progress = self._hold, self._progress
        if hold.status is BatchStatus.VALIDATING:
            await self._validate()
        if hold.status in (BatchStatus.IN_PROGRESS, BatchStatus.CANCELLING) and progress.total:
            await self._output.open()
            await self._error.open()
            if hold.status is BatchStatus.IN_PROGRESS and not progress.late:
                await self._answer_all()
            if hold.status is BatchStatus.CANCELLING or progress.late:
                await self._give_up()
        if hold.status is BatchStatus.IN_PROGRESS:
            progress.finalizing_at = _now()
            await hold.save(BatchStatus.FINALIZING)
        if hold.status in (BatchStatus.FINALIZING, BatchStatus.CANCELLING):
            await self._finish()

    async def fail(self, error: BatchError) -> None:
        """End the batch without going on; what was saved stays."""
        self._progress = self._hold.rewind()
        self._progress.errors = (error,)
        self._progress.failed_at = _now()
        await write_files(self._service, self._hold.asked, self._progress)
        await self._hold.save(BatchStatus.FAILED)

    # Validation

    async def _validate(self) -> None:
        check = await self._look_over()
        if check.errors:
            self._progress.errors = tuple(check.errors)
            self._progress.failed_at = _now()
            await self._hold.save(BatchStatus.FAILED)
            if self._hold.status is BatchStatus.CANCELLING:  # that came first
                self._progress.errors, self._progress.failed_at = (), None
        elif not self._hold.news.is_set():
            self._progress.total = check.total
            self._progress.in_progress_at = _now()
            await self._hold.save(BatchStatus.IN_PROGRESS)

    async def _look_over(self) -> Check:
        service, asked = self._service, self._hold.asked
        settings = service.settings
        check = Check(asked.endpoint, service.catalog, settings.max_batch_lines)
        held = hold_file(asked.input_file_id, asked.id, time.time(), service.jobs)
        if await service.queue.run(held) is None:
            check.errors.append(input_gone(asked))
            return check
        try:
            async for chunk in self._lines():
                await asyncio.to_thread(check.look, chunk)
                if check.hopeless or self._hold.news.is_set():
                    break
        except LineTooLongError as error:
            check.too_long(error.number, settings.max_body_bytes)
        check.end()
        return check

    async def _lines(self) -> AsyncIterator[list[Line]]:
        """The lines of the input that have no line of output yet."""
        service, progress = self._service, self._progress
        file = await service.queue.run(get_file(self._hold.asked.input_file_id, service.jobs))
        if file is None:
            raise NotFound(f"the input file {self._hold.asked.input_file_id!r} is gone")
        lines = read_lines(
            service.store,
            file.parts,
            done=progress.lines,
            position=progress.position,
            max_bytes=service.settings.max_body_bytes,
        )
        async for chunk in lines:
            yield chunk

    # Answering

    async def _answer_all(self) -> None:
        async with self._flying():
            async for chunk in self._lines():
                for line in chunk:
                    while not self._window.fits(line):
                        if not await self._land():
                            return
                    self._window.start(line, read_line(line.text))
            while self._window:
                if not await self._land():
                    return
        await self._save()

    async def _answer_line(self, line: Line, asked: LineRequest) -> LineResponse:
        return await answer(self._app, self._name(line), asked, len(line.text))

    def _name(self, line: Line) -> str:
        return f"{self._hold.id}-{line.number}"

    @asynccontextmanager
    async def _flying(self) -> AsyncIterator[None]:
        """Let nothing fly on; where the batch is to end, write down who had landed."""
        try:
            yield
            if self._window:
                await self._break_off()
        finally:
            await self._window.close()

    async def _land(self) -> bool:
        """Wait for the oldest line and write its answer; False where the batch is to end."""
        flight, news = self._window.oldest, asyncio.ensure_future(self._hold.news.wait())
        try:
            while not flight.task.done():
                if self._hold.lost:
                    raise LeaseLostError(self._hold.id)
                left = self._hold.asked.expires_at - time.time()
                if self._hold.news.is_set() or left <= 0:
                    self._progress.late = left <= 0 and not self._hold.news.is_set()
                    return False
                await asyncio.wait(
                    {flight.task, news},
                    timeout=min(_SAVE_S, left),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                await self._save_if_due()
        finally:
            news.cancel()
        self._window.pop()
        self._write(flight.line, flight.asked.custom_id, flight.task.result())
        await self._save_if_due()
        return not self._hold.news.is_set()

    async def _break_off(self) -> None:
        """Write what is under way: answers where there are some, and cancel the other lines."""
        while self._window:
            flight = self._window.pop()
            if flight.task.done():
                self._write(flight.line, flight.asked.custom_id, flight.task.result())
                continue
            flight.task.cancel()
            await self._cancel_jobs(flight.line)
            self._write(flight.line, flight.asked.custom_id, self._refusal)
        await self._save()

    async def _give_up(self) -> None:
        """Give every line that has none its line of output."""
        # Whoever had the batch before us may have left jobs behind.
        behind = self._service.settings.batch_window
        async for chunk in self._lines():
            for line in chunk:
                if behind > 0:
                    await self._cancel_jobs(line)
                    behind -= 1
                self._write(line, read_line(line.text).custom_id, self._refusal)
                await self._save_if_due()
        await self._save()

    @property
    def _refusal(self) -> LineResponse:
        return _CANCELLED if self._hold.status is BatchStatus.CANCELLING else _EXPIRED

    async def _cancel_jobs(self, line: Line) -> None:
        service = self._service
        for number in range(_MOST_JOBS):
            try:
                job_id = self._owner.stored(nth_job_id(self._name(line), number))
                await service.queue.run(cancel(job_id, service.jobs))
            except NotFound:
                return
            except WherryError:
                continue  # it runs for nothing

    # Progress

    def _write(self, line: Line, custom_id: str, found: LineResponse) -> None:
        """Give a line its line of output. It counts once it is saved."""
        good, progress = found.status == 200, self._progress
        (self._output if good else self._error).add(found.line(self._name(line), custom_id))
        progress.completed += good
        progress.failed += not good
        progress.lines, progress.position = line.number, line.end
        self._answered.append(self._owner.stored(self._name(line)))

    async def _save_if_due(self) -> None:
        added = self._output.waiting_bytes + self._error.waiting_bytes
        late = time.monotonic() - self._saved_at >= _SAVE_S
        if added >= PART_BYTES or (added and late):
            await self._save()

    async def _save(self) -> None:
        """Put what was written into the store, then say so."""
        for file in (self._output, self._error):
            await file.flush_patiently()
        self._progress.output, self._progress.error = self._output.parts, self._error.parts
        await self._hold.save()
        self._saved_at = time.monotonic()
        answered, self._answered = self._answered, []
        if answered:
            with contextlib.suppress(WherryError):
                refs = await self._service.queue.run(
                    forget_soon(answered, _JOB_KEPT_S, self._service.jobs)
                )
                if refs:
                    remove_later(self._service.store, refs)

    # The end

    async def _finish(self) -> None:
        progress = self._progress
        await write_files(self._service, self._hold.asked, self._progress)
        if self._hold.status is BatchStatus.CANCELLING:
            progress.cancelled_at = _now()
            await self._hold.save(BatchStatus.CANCELLED)
        elif progress.late:
            progress.expired_at = _now()
            await self._hold.save(BatchStatus.EXPIRED)
        else:
            progress.completed_at = _now()
            await self._hold.save(BatchStatus.COMPLETED)


def _now() -> int:
    return int(time.time())
