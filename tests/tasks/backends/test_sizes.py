from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers.image_transforms import get_size_with_aspect_ratio

from wherry.tasks.backends.sizes import Bounded, Exact, ShortestEdge, Within, read_resize

EDGE = st.integers(1, 5000)


@given(EDGE, EDGE)
def test_bounded_edges_as_detr_has_them(width: int, height: int) -> None:
    theirs = get_size_with_aspect_ratio((height, width), 800, 1333)
    assert Bounded(800, 1333)((width, height)) == (theirs[1], theirs[0])


@given(EDGE, EDGE)
def test_the_shortest_edge_is_exact(width: int, height: int) -> None:
    fitted = ShortestEdge(224)((width, height))
    assert min(fitted) == 224
    assert (fitted[0] <= fitted[1]) == (width <= height) or fitted[0] == fitted[1]


def test_multiples_cut_down() -> None:
    assert Bounded(64, 96, 16)((70, 100)) == (64, 80)


@pytest.mark.parametrize(
    ("setting", "rule"),
    [
        ({"height": 2, "width": 3}, Exact((3, 2))),
        ({"shortest_edge": 5}, ShortestEdge(5)),
        ({"shortest_edge": 5, "longest_edge": None}, ShortestEdge(5)),
        ({"shortest_edge": 5, "longest_edge": 7}, Bounded(5, 7)),
        ({"longest_edge": 7}, None),
        ({"max_height": 1, "max_width": 2}, Within((2, 1))),
        ({}, None),
    ],
)
def test_settings(setting: dict[str, int], rule: object) -> None:
    assert read_resize(setting) == rule
