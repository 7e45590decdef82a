"""Lists that lie on several Redis servers, as one: where there is but one, as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from ...jobs import AsyncQueue
from ...jobs.call import Call
from ...jobs.dead import DeadPage
from ...jobs.fleet_queue import on_each
from ...jobs.pages import ListPage, has_ended, join, merged, split
from ...jobs.reach import RedisAway
from ...jobs.read import JobPage

P = TypeVar("P", JobPage, DeadPage)


async def job_page(
    queue: AsyncQueue,
    call: Callable[[str, str], Call[JobPage]],
    *,
    limit: int,
    after: str = "",
    above: str = "",
) -> JobPage:
    """A page of jobs, newest first. `call` makes the step of one Redis, from `after` and `above`.

    A Redis that is away is passed over. Raises InvalidRequest for another fleet's cursor.
    """
    if len(queue.parts) == 1:
        return await queue.run(call(after, above))
    count = len(queue.parts)
    afters, aboves = split(after, count), split(above, count)
    calls = [
        None if has_ended(place) else call(place, since)
        for place, since in zip(afters, aboves, strict=True)
    ]
    pages = await _pages(queue, calls, JobPage((), "", ""))
    ids, following = merged([_part(page) for page in pages], afters, limit)
    newest = [
        (page.newest if page is not None else "") or before
        for page, before in zip(pages, aboves, strict=True)
    ]
    return JobPage(ids, following, join(newest) if any(newest) else "")


async def dead_page(
    queue: AsyncQueue, call: Callable[[str], Call[DeadPage]], *, limit: int, after: str = ""
) -> DeadPage:
    """A page of dead letters, likewise."""
    if len(queue.parts) == 1:
        return await queue.run(call(after))
    afters = split(after, len(queue.parts))
    # One whose list has ended still says how many there are.
    calls = [call("" if has_ended(place) else place) for place in afters]
    pages = await _pages(queue, calls, DeadPage((), "", 0))
    parts = [
        ListPage((), "") if page is not None and has_ended(place) else _part(page)
        for page, place in zip(pages, afters, strict=True)
    ]
    ids, following = merged(parts, afters, limit)
    return DeadPage(tuple(ids), following, sum(page.total for page in pages if page is not None))


def _part(page: JobPage | DeadPage | None) -> ListPage | None:
    return None if page is None else ListPage(page.listed, page.following)


async def _pages(
    queue: AsyncQueue, calls: Sequence[Call[P] | None], ended: P
) -> Sequence[P | None]:
    """The page of each; `ended` where there is nothing to ask, None of a Redis that is away."""
    call_of = dict(zip(queue.parts, calls, strict=True))

    async def page(one: AsyncQueue) -> P:
        call = call_of[one]
        return ended if call is None else await one.run(call)

    pages: list[P | None] = []
    answers: list[P | Exception] = await on_each(queue, page)
    for answer in answers:
        if isinstance(answer, Exception) and not isinstance(answer, RedisAway):
            raise answer
        pages.append(None if isinstance(answer, Exception) else answer)
    return pages
