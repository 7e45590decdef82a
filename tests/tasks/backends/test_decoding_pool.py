"""Whose turn it is, and what may run at once. Tasks are held by events: no test waits for time."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from wherry.tasks.backends.decoding_pool import DecodingPool, DecodingTask, ranked_pool

from ...support.waiting import until


class Batches:
    """Threads that each have a batch run, and the tasks in the order in which they began."""

    def __init__(self, pool: DecodingPool) -> None:
        self.pool, self.begun = pool, list[str]()
        self._threads = ThreadPoolExecutor(8)
        self._gates: dict[str, threading.Event] = {}
        self._given = 0

    def give(
        self, *names: str, size: int = 1, rank: int = 0, held: bool = False, last: str = ""
    ) -> Future[None]:
        """Run a batch of tasks of these names from a thread of its own, once it waits or runs."""
        for name in names:
            self._gates[name] = threading.Event()
            if not held:
                self._gates[name].set()

        def task(name: str) -> DecodingTask:
            def run() -> bool:
                self.begun.append(name)
                assert self._gates[name].wait(60)
                return name != last

            return DecodingTask(run, size)

        self._given += len(names)
        done = self._threads.submit(self.pool.run, [task(name) for name in names], rank)
        # Between the two a task is neither: what is counted never passes what was given.
        until(lambda: done.done() or self.pool.waiting + len(self.begun) >= self._given)
        return done

    def has_begun(self, *names: str) -> bool:
        """Whether these have begun, in this order, and no other; waited for."""
        until(lambda: len(self.begun) >= len(names))
        return self.begun == list(names)

    def let(self, *names: str) -> None:
        for name in names:
            self._gates[name].set()

    def close(self) -> None:
        self.let(*self._gates)
        self._threads.shutdown()
        self.pool.close()


@pytest.fixture
def one() -> Iterator[Batches]:
    """Of one thread: what begins is all that runs."""
    batches = Batches(DecodingPool(1, max_bytes=100))
    yield batches
    batches.close()


@pytest.fixture
def three() -> Iterator[Batches]:
    """Of three threads, and room for 100 bytes."""
    batches = Batches(DecodingPool(3, max_bytes=100))
    yield batches
    batches.close()


def test_batches_take_turns_so_that_a_small_one_is_not_behind_a_large(one: Batches) -> None:
    one.give("first", held=True)
    large = one.give(*(f"large {n}" for n in range(50)))
    small = one.give("small 0", "small 1")
    one.let("first")
    small.result(60)
    assert one.begun[:5] == ["first", "large 0", "small 0", "large 1", "small 1"]
    large.result(60)
    assert one.begun[5:] == [f"large {n}" for n in range(2, 50)], "in the order of the batch"


def test_what_someone_waits_for_goes_before_what_came_first(one: Batches) -> None:
    one.give("first", held=True)
    bulk = one.give("bulk 0", "bulk 1", rank=1)
    one.give("interactive 0", "interactive 1")
    one.let("first")
    bulk.result(60)
    assert one.begun == ["first", "interactive 0", "interactive 1", "bulk 0", "bulk 1"]


def test_no_more_run_at_once_than_there_are_threads(three: Batches) -> None:
    names = [f"{n}" for n in range(5)]
    three.give(*names, held=True)
    until(lambda: len(three.begun) == 3)
    assert three.pool.waiting == 2
    three.let("1")
    until(lambda: len(three.begun) == 4)
    assert three.pool.waiting == 1


def test_what_runs_at_once_takes_no_more_bytes_than_are_allowed(three: Batches) -> None:
    three.give("60", size=60, held=True)
    three.give("50", size=50, held=True)
    small = three.give("10", size=10)
    assert three.has_begun("60"), "nor does a small one go before it: it would wait for ever"
    assert not small.done()
    three.let("60")
    small.result(60)
    assert sorted(three.begun) == ["10", "50", "60"]


def test_one_that_is_larger_than_all_that_is_allowed_runs_alone(three: Batches) -> None:
    three.give("small", held=True)
    huge = three.give("huge", size=1000, held=True)
    assert three.has_begun("small")
    three.let("small")
    assert three.has_begun("small", "huge")
    beside = three.give("beside")
    assert three.has_begun("small", "huge")
    three.let("huge")
    huge.result(60)
    beside.result(60)


def test_a_task_that_wants_no_more_ends_its_batch_and_no_other(one: Batches) -> None:
    one.give("first", held=True)
    ended = one.give("a", "b", "c", last="a")
    other = one.give("x", "y")
    one.let("first")
    ended.result(60)
    other.result(60)
    assert one.begun == ["first", "a", "x", "y"]


def test_a_batch_ends_only_when_what_runs_has_ended(three: Batches) -> None:
    done = three.give("slow", "last", "beside", "never", last="last", held=True)
    until(lambda: len(three.begun) == 3)
    three.let("last")
    until(lambda: three.pool.waiting == 0)
    three.let("beside")
    assert not done.done()
    three.let("slow")
    done.result(60)
    assert "never" not in three.begun


def test_threads_begin_with_the_first_batch_and_end_at_close() -> None:
    pool, seen = DecodingPool(2, max_bytes=1), set[str]()

    def named() -> bool:
        seen.add(threading.current_thread().name)
        return True

    before = threading.active_count()
    pool.run([DecodingTask(named, 0)])
    assert threading.active_count() == before + 2
    pool.close()
    assert threading.active_count() == before
    assert seen <= {"wherry-decode-0", "wherry-decode-1"}
    pool.run([DecodingTask(named, 0)])
    assert threading.current_thread().name in seen, "whoever comes after the close does it itself"


def test_a_close_finishes_what_was_given() -> None:
    batches = Batches(DecodingPool(1, max_bytes=1))
    batches.give("running", held=True)
    waits = batches.give("waits", "waits too")
    closing = threading.Thread(target=batches.pool.close)
    closing.start()
    batches.let("running")
    closing.join(60)
    waits.result(60)
    assert batches.begun == ["running", "waits", "waits too"]
    batches.close()


def test_a_pool_that_was_made_before_a_fork_works_after_it() -> None:
    pool = DecodingPool(2, max_bytes=1)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # as a worker is: nothing of pytest's may run on
        try:
            pool.run([DecodingTask(lambda: os.write(write, b".") == 1, 0)] * 4)
            pool.close()
        finally:
            os._exit(0)
    os.close(write)
    assert b"".join(_all_of(read)) == b"...."
    os.waitpid(child, 0)
    os.close(read)


def _all_of(pipe: int) -> Sequence[bytes]:
    return list(iter(lambda: os.read(pipe, 10), b""))


class Interrupted(Exception):
    """What a signal's handler raises in whoever waits."""


@pytest.fixture
def interrupted() -> Iterator[None]:
    """SIGUSR1 is an interruption: SIGINT would end a run of tests that it came too late for."""

    def interrupt(*_: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGUSR1, interrupt)
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.usefixtures("interrupted")
def test_whoever_is_interrupted_while_it_waits_leaves_nothing_to_do() -> None:
    pool, gate, begun = DecodingPool(1, max_bytes=1), threading.Event(), list[int]()
    main = threading.get_ident()

    def interrupting() -> bool:
        begun.append(1)
        signal.pthread_kill(main, signal.SIGUSR1)
        return gate.wait(60)

    with pytest.raises(Interrupted):
        pool.run([DecodingTask(interrupting, 0)] * 3)
    assert pool.waiting == 0
    gate.set()
    pool.close()
    assert begun == [1]


def test_a_thread_has_a_pool_while_it_says_so() -> None:
    pool, within = DecodingPool(2, max_bytes=1), list[object]()

    def looks() -> bool:
        within.append(ranked_pool())
        return True

    with pool.ranked(1):
        mine = ranked_pool()
        assert mine == (pool, 1)
        pool.run([DecodingTask(looks, 0)])
    assert ranked_pool() is None
    assert within == [None], "what a task decodes within it does on the spot"
    pool.close()
