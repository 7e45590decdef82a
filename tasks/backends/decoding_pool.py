"""The threads that decode for all batches of a worker."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import NamedTuple


class DecodingTask(NamedTuple):
    """A part of a batch: what to do, and how many bytes it may take meanwhile."""

    #: Keeps what it makes itself. Answers whether its batch's other tasks are wanted still.
    run: Callable[[], bool]
    bytes: int


@dataclass(eq=False, slots=True)
class _Share:
    """One batch's tasks: those that wait, and how many run."""

    rank: int
    waiting: deque[DecodingTask]
    running: int = 0
    ended: threading.Event = field(default_factory=threading.Event)


class DecodingPool:
    """Runs the tasks of several batches at once, on no more threads than there are cores.

    Batches of a rank take turns task by task, so that three rows need not wait for another batch's
    five hundred; a lower rank goes first, as at the device. What runs takes `max_bytes` together,
    or is one task alone. Threads begin with the first batch: none would survive a fork before it.
    """

    def __init__(self, threads: int, *, max_bytes: int) -> None:
        self.threads, self._max_bytes = threads, max_bytes
        self._changed = threading.Condition()
        self._started: list[threading.Thread] = []
        #: The batches that wait by rank, each rank's in the order of their turns.
        self._turns: dict[int, deque[_Share]] = {}
        #: What the tasks that run take, and whether one waits for room.
        self._bytes = 0
        self._is_short = False
        self._closed = False

    @contextmanager
    def ranked(self, rank: int) -> Iterator[None]:
        """Decode here what this thread decodes meanwhile."""
        token = _MINE.set(RankedPool(self, rank))
        try:
            yield
        finally:
            _MINE.reset(token)

    @property
    def waiting(self) -> int:
        """Tasks that no thread has begun."""
        with self._changed:
            return sum(len(share.waiting) for turns in self._turns.values() for share in turns)

    def run(self, tasks: Sequence[DecodingTask], rank: int = 0) -> None:
        """Run a batch's tasks, begun in their order, until all have ended or one wants no more."""
        share = _Share(rank, deque(tasks))
        try:
            is_open = self._give(share)
            if is_open:
                share.ended.wait()
        except BaseException:  # a signal's handler raised: nobody takes what is still to come
            with self._changed:
                self._drop(share)
            raise
        if not is_open:  # its threads are gone
            all(task.run() for task in tasks)

    def close(self) -> None:
        """Finish what was given, and end the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._started:
            thread.join()

    def _give(self, share: _Share) -> bool:
        with self._changed:
            if self._closed:
                return False
            self._start()
            self._turns.setdefault(share.rank, deque()).append(share)
            self._changed.notify(len(share.waiting))
            return True

    def _start(self) -> None:
        while len(self._started) < self.threads:
            name = f"wherry-decode-{len(self._started)}"
            # A daemon: a process that must end at once does not wait for a picture.
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            thread.start()
            self._started.append(thread)

    def _work(self) -> None:
        _MINE.set(None)  # where threads inherit it
        while self._step():
            pass

    def _step(self) -> bool:
        """Run the next task. Answers whether there was one; it is forgotten then, with its rows."""
        taken = self._take()
        if taken is None:
            return False
        share, task = taken
        goes_on = False
        try:
            goes_on = task.run()
        finally:  # whatever comes, nobody waits for ever
            self._end(share, task, goes_on=goes_on)
        return True

    def _take(self) -> tuple[_Share, DecodingTask] | None:
        """The next task, waited for; None when there will be none."""
        with self._changed:
            while (taken := self._next()) is None:
                if self._closed and not any(self._turns.values()):
                    return None
                self._changed.wait()
            return taken

    def _next(self) -> tuple[_Share, DecodingTask] | None:
        turns = next((self._turns[rank] for rank in sorted(self._turns) if self._turns[rank]), None)
        if turns is None:
            return None
        share, task = turns[0], turns[0].waiting[0]
        if self._bytes and self._bytes + task.bytes > self._max_bytes:
            self._is_short = True  # nor does another go before it: it would wait for ever
            return None
        turns.popleft()
        share.waiting.popleft()
        if share.waiting:
            turns.append(share)
        share.running += 1
        self._bytes += task.bytes
        return share, task

    def _end(self, share: _Share, task: DecodingTask, *, goes_on: bool) -> None:
        with self._changed:
            share.running -= 1
            self._bytes -= task.bytes
            if not goes_on:
                self._drop(share)
            if not (share.running or share.waiting):
                share.ended.set()
            if self._is_short:
                self._is_short = False
                self._changed.notify_all()

    def _drop(self, share: _Share) -> None:
        """Begin no more of a batch."""
        share.waiting.clear()
        turns = self._turns.get(share.rank)
        if turns and share in turns:
            turns.remove(share)
        self._changed.notify_all()  # one may wait for room behind it, or for the end


class RankedPool(NamedTuple):
    """Where a thread's batches are decoded, and before whose."""

    pool: DecodingPool
    rank: int


#: Threads of a pool have none themselves: what they decode within a task they do on the spot.
_MINE: ContextVar[RankedPool | None] = ContextVar("decoding", default=None)


def ranked_pool() -> RankedPool | None:
    """The pool that this thread's batches are decoded by."""
    return _MINE.get()
