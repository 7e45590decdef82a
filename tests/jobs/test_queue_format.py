"""Which versions can work on one queue."""

from __future__ import annotations

import pytest

import wherry
from wherry.jobs.queue_format import OURS, Build


def build(oldest: int, newest: int) -> Build:
    return Build("9.9", oldest, newest)


@pytest.mark.parametrize(
    ("mine", "theirs"), [((1, 1), (1, 1)), ((1, 2), (1, 1)), ((2, 3), (1, 2)), ((1, 1), (1, 3))]
)
def test_two_that_have_a_format_in_common_work_together(
    mine: tuple[int, int], theirs: tuple[int, int]
) -> None:
    assert build(*mine).why_not(build(*theirs), "the API") == ""
    assert build(*theirs).why_not(build(*mine), "the API") == ""


def test_two_that_have_none_say_who_is_newer_and_what_to_do() -> None:
    new, old = build(2, 2), build(1, 1)
    assert "newer than that of the API on front, 1 (Wherry 9.9)" in new.why_not(
        old, "the API on front"
    )
    assert "upgrade the API on front" in new.why_not(old, "the API on front")
    assert "older than that of the API on front, 2" in old.why_not(new, "the API on front")
    assert "upgrade this one" in old.why_not(new, "the API on front")


def test_what_a_process_says_is_what_others_read() -> None:
    assert Build.of(OURS.info()) == OURS
    assert OURS.version == wherry.__version__


def test_one_that_says_nothing_has_the_first_format() -> None:
    silent = Build.of({})
    assert (silent.oldest, silent.newest, silent.knows_formats) == (1, 1, False)
    assert OURS.why_not(silent, "it") == ""
    assert "an earlier Wherry" in build(2, 2).why_not(silent, "it")
