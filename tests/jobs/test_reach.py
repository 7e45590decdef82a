"""One answer of those of several Redis servers (where a step goes: house tests)."""

from __future__ import annotations

import pytest

from wherry.jobs.reach import RedisAway, everywhere, found, found_each, joined, summed
from wherry.protocol.errors import JobNotFound, Unavailable


def test_the_first_that_has_it_answers() -> None:
    assert found([None, "b", "c"]) == "b"
    assert found([JobNotFound("no"), RedisAway(["text"]), "c"]) == "c"
    assert found([None, None]) is None
    with pytest.raises(JobNotFound):
        found([JobNotFound("no"), JobNotFound("neither")])
    with pytest.raises(RedisAway, match="the Redis of text"):
        found([JobNotFound("no"), RedisAway(["text"])])


def test_of_each_entry_the_first_that_has_it_answers() -> None:
    some: list[str | None] = ["a", None]
    others: list[str | None] = [None, "b"]
    assert found_each([some, others]) == ["a", "b"]
    in_part: list[list[str | None] | Exception] = [["a"], RedisAway(["text"])]
    assert found_each(in_part) == ["a"]
    assert found_each([[None], [None]]) == [None]
    in_part[0] = some
    with pytest.raises(RedisAway):
        found_each(in_part)


def test_what_must_be_whole_is_refused_in_part() -> None:
    assert (everywhere([7, 8]), summed([1, 2]), joined([[1], [2]])) == (7, 3, [1, 2])
    with pytest.raises(Unavailable):
        everywhere([7, RedisAway(["text"])])
    with pytest.raises(Unavailable):
        summed([7, RedisAway(["text"])])
    in_part: list[list[int] | Exception] = [[7], RedisAway(["text"])]
    with pytest.raises(Unavailable):
        joined(in_part)
