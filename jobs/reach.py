"""Which Redis a step goes to, where families have a Redis of their own.

Most go home, to WHERRY_REDIS_URL. A step of a family goes to its Redis; what may be on any is asked
of all, and one answer is made of theirs. With one Redis all this is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ..protocol.errors import NotFound, Unavailable

T = TypeVar("T")


class RedisAway(Unavailable):
    """The Redis of some families cannot be reached; retry later."""

    def __init__(self, families: Collection[str], why: str = "") -> None:
        names = ", ".join(sorted(families))
        super().__init__(
            f"the Redis of {names} cannot be reached; retry later{f': {why}' if why else ''}"
        )
        self.families = frozenset(families)


@dataclass(frozen=True, slots=True)
class Reach(Generic[T]):
    """Which Redis a step goes to."""

    #: A family's own; "" for home.
    family: str = ""
    #: All of them: makes one answer of theirs, home's first. An answer may be an exception.
    merge: Callable[[Sequence[T | Exception]], T] | None = None
    #: The jobs that are asked for: whoever is known to have them is asked first and, if it has
    #: them, alone. Of a family's, those that are known from then on.
    job_ids: Sequence[str] = ()
    #: Whether an answer says that a Redis has none of it.
    is_missing: Callable[[object], bool] = lambda answer: answer in (None, [], ())


#: Where a step goes of which nothing else is said.
HOME: Reach[object] = Reach()


def of_family(family: str, job_id: str = "") -> Reach[T]:
    """The Redis of a family; the job that the step stores there, if it does."""
    return Reach(family, job_ids=(job_id,) if job_id else ())


def of_job(job_id: str) -> Reach[T]:
    """Wherever a job is: a step that answers None, or raises NotFound, only where it is not."""
    return Reach(merge=found, job_ids=(job_id,))


def of_known_job(job_id: str) -> Reach[T]:
    """The same, of a step whose empty answer does not say that the job is not there."""
    return Reach(merge=found, job_ids=(job_id,), is_missing=lambda _: False)


def of_jobs(job_ids: Sequence[str]) -> Reach[list[T | None]]:
    """Wherever some jobs are; an answer has an entry for each."""
    return Reach(
        merge=found_each,
        job_ids=job_ids,
        is_missing=lambda answer: isinstance(answer, list) and None in answer,
    )


def of_all(merge: Callable[[Sequence[T | Exception]], T]) -> Reach[T]:
    """All."""
    return Reach(merge=merge)


def answers_of(answers: Sequence[T | Exception]) -> list[T]:
    """All answers. Raises the first exception among them."""
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return [answer for answer in answers if not isinstance(answer, Exception)]


def answers_of_present(answers: Sequence[T | Exception]) -> tuple[list[T], frozenset[str]]:
    """The answers, and the families whose own Redis is away. Raises any other exception."""
    away: set[str] = set()
    there: list[T] = []
    for answer in answers:
        if isinstance(answer, RedisAway):
            away |= answer.families
        elif isinstance(answer, Exception):
            raise answer
        else:
            there.append(answer)
    return there, frozenset(away)


def found(answers: Sequence[T | Exception]) -> T:
    """The answer of the first that has it.

    Raises Unavailable where nobody has and one is away, which may have it; else what the first says
    that has it not.
    """
    missing = [a for a in answers if a is None or a == [] or isinstance(a, NotFound)]
    for answer in answers:
        if not isinstance(answer, Exception) and answer is not None and answer != []:
            return answer
    for answer in answers:
        if isinstance(answer, Exception) and not isinstance(answer, NotFound):
            raise answer
    first = missing[0]
    if isinstance(first, Exception):
        raise first
    return first


def found_each(answers: Sequence[list[T | None] | Exception]) -> list[T | None]:
    """Of each entry that of the first which has it. Raises as `found` does where one is nowhere."""
    there = [answer for answer in answers if not isinstance(answer, Exception)]
    columns = zip(*there, strict=True)
    merged = [next((entry for entry in column if entry is not None), None) for column in columns]
    if not there or None in merged:
        answers_of(answers)
    return merged


def everywhere(answers: Sequence[T | Exception]) -> T:
    """Home's answer, of what must be done on all. Raises Unavailable where it could not be."""
    return answers_of(answers)[0]


def summed(answers: Sequence[int | Exception]) -> int:
    """The sum."""
    return sum(answers_of(answers))


def joined(answers: Sequence[list[T] | Exception]) -> list[T]:
    """All entries."""
    return [entry for answer in answers_of(answers) for entry in answer]
