from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.protocol.errors import BackendError, OutOfMemory, RowError
from wherry.workers.budget import ShapeBudget
from wherry.workers.halving import run_rows


def budget(rows: int) -> ShapeBudget[Any]:
    return ShapeBudget(rows, weigh=lambda row: 0)


def double(rows):
    return [row * 2 for row in rows]


def test_rows_run_in_batches_of_the_budget():
    sizes = []

    def run(rows):
        sizes.append(len(rows))
        return double(rows)

    answers = run_rows(run, list(range(10)), budget(4))
    assert answers.rows == [row * 2 for row in range(10)]
    assert sizes == [4, 4, 2]
    assert answers.executions == 3


@given(bad=st.sets(st.integers(0, 40)), n=st.integers(0, 40), most=st.integers(1, 16))
def test_only_the_bad_rows_fail(bad, n, most):
    def run(rows):
        if any(row in bad for row in rows):
            raise ValueError("secret text of another library")
        return double(rows)

    answers = run_rows(run, list(range(n)), budget(most)).rows
    assert len(answers) == n
    for row, answer in enumerate(answers):
        if row in bad:
            assert isinstance(answer, BackendError)
            assert "secret" not in answer.message
            assert "ValueError" in answer.message
        else:
            assert answer == row * 2


def test_a_row_error_is_that_rows_answer_and_splits_nothing():
    def run(rows):
        return [RowError("not an image") if row == 2 else row for row in rows]

    answers = run_rows(run, [1, 2, 3], budget(8))
    assert [type(answer) for answer in answers.rows] == [int, RowError, int]
    assert answers.executions == 1


@given(n=st.integers(1, 19), fits=st.integers(1, 19))
def test_out_of_memory_halves_the_batch_and_all_that_follow(n, fits):
    sizes = []

    def run(rows):
        sizes.append(len(rows))
        if len(rows) > fits:
            raise OutOfMemory
        return double(rows)

    shared = budget(16)
    assert run_rows(run, list(range(n)), shared).rows == [row * 2 for row in range(n)]
    if min(n, 16) > fits:
        assert shared.rows_for(0) <= fits
        sizes.clear()
        run_rows(run, list(range(n)), shared)
        assert sizes[0] <= fits, "the next batch knows"


def test_a_row_too_large_for_the_device_fails_alone():
    def run(rows):
        if "huge" in rows:
            raise OutOfMemory("the device is out of memory")
        return rows

    answers = run_rows(run, ["a", "huge", "b", "c"], budget(4)).rows
    assert answers[0] == "a"
    assert isinstance(answers[1], OutOfMemory)
    assert answers[2:] == ["b", "c"]


@pytest.mark.parametrize("answers", [[], [1, 2, 3]])
def test_a_backend_that_miscounts_is_at_fault(answers):
    [answer] = run_rows(lambda rows: answers, [1], budget(4)).rows
    assert isinstance(answer, BackendError)
    assert f"{len(answers)} rows for 1" in answer.message
