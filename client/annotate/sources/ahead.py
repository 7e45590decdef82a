"""Work done ahead in threads, given in order: reading over a network is mostly waiting."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


#: Threads for what is far among what is near.
_FAR_THREADS = 16


def ahead(
    items: Iterable[T],
    work: Callable[[T], R],
    threads: int,
    is_far: Callable[[T], bool] | None = None,
) -> Iterator[R]:
    """What `work` makes of each item, in order; twice as many as threads are in memory.

    With one thread nothing is done ahead, but for items that are far.
    """
    if threads > 1:
        return _ahead(items, work, threads, lambda _: True)
    return map(work, items) if is_far is None else _ahead(items, work, _FAR_THREADS, is_far)


def _ahead(
    items: Iterable[T], work: Callable[[T], R], threads: int, is_far: Callable[[T], bool]
) -> Iterator[R]:
    pool = ThreadPoolExecutor(threads, thread_name_prefix="annotate-read")
    try:
        under_way: deque[Future[R]] = deque()
        for item in items:
            if is_far(item):
                under_way.append(pool.submit(work, item))
            elif under_way:
                under_way.append(_done(work(item)))
            else:
                yield work(item)
            if len(under_way) >= 2 * threads:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _done(result: R) -> Future[R]:
    """What is there already, in its place among what is to come."""
    future = Future[R]()
    future.set_result(result)
    return future
