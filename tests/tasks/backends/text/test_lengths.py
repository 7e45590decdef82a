from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wherry.tasks.backends.text.lengths import alike_in_length


def test_a_usual_batch_stays_whole() -> None:
    assert alike_in_length([5, 64, 12]) == [[1, 2, 0]]


def test_short_rows_are_not_padded_to_long_ones() -> None:
    assert alike_in_length([8, 512, 8, 500, 8], slack=100) == [[1, 3], [0, 2, 4]]


def test_a_forward_has_a_size() -> None:
    assert alike_in_length([10] * 5, most=20) == [[0, 1], [2, 3], [4]]


@given(st.lists(st.integers(1, 600)), st.integers(0, 2000), st.integers(1, 5000))
def test_every_row_once_and_little_padding(lengths: list[int], slack: int, most: int) -> None:
    groups = alike_in_length(lengths, slack=slack, most=most)
    assert sorted(row for group in groups for row in group) == list(range(len(lengths)))
    for group in groups:
        own = [lengths[row] for row in group]
        assert max(own) * len(own) - sum(own) <= slack
        assert len(own) == 1 or max(own) * len(own) <= most
