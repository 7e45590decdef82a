from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.protocol.errors import BackendError, OutOfMemory, RowError
from wherry.workers.split import run_rows


def double(rows):
    return [row * 2 for row in rows]


def test_rows_run_in_batches_of_the_budget():
    sizes = []

    def run(rows):
        sizes.append(len(rows))
        return double(rows)

    answers = run_rows(run, list(range(10)), 4)
    assert answers.rows == [row * 2 for row in range(10)]
    assert sizes == [4, 4, 2]
    assert answers.executions == 3


@given(bad=st.sets(st.integers(0, 40)), n=st.integers(0, 40), budget=st.integers(1, 16))
def test_only_the_bad_rows_fail(bad, n, budget):
    def run(rows):
        if any(row in bad for row in rows):
            raise ValueError("secret text of another library")
        return double(rows)

    answers = run_rows(run, list(range(n)), budget).rows
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

    answers = run_rows(run, [1, 2, 3], 8)
    assert [type(answer) for answer in answers.rows] == [int, RowError, int]
    assert answers.executions == 1


@given(n=st.integers(1, 100), fits=st.integers(1, 32))
def test_out_of_memory_halves_the_batch_and_says_what_fitted(n, fits):
    def run(rows):
        if len(rows) > fits:
            raise OutOfMemory
        return double(rows)

    answers = run_rows(run, list(range(n)), 32)
    assert answers.rows == [row * 2 for row in range(n)]
    assert (answers.fitted is None) == (min(n, 32) <= fits)
    if answers.fitted is not None:
        assert answers.fitted <= fits


def test_a_row_too_large_for_the_device_fails_alone():
    def run(rows):
        if "huge" in rows:
            raise OutOfMemory("the device is out of memory")
        return rows

    answers = run_rows(run, ["a", "huge", "b", "c"], 4).rows
    assert answers[0] == "a"
    assert isinstance(answers[1], OutOfMemory)
    assert answers[2:] == ["b", "c"]


@pytest.mark.parametrize("answers", [[], [1, 2, 3]])
def test_a_backend_that_miscounts_is_at_fault(answers):
    [answer] = run_rows(lambda rows: answers, [1], 4).rows
    assert isinstance(answer, BackendError)
    assert f"{len(answers)} rows for 1" in answer.message
