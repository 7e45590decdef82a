"""The search's geometry by itself; test_mask_generation holds it against transformers."""

from __future__ import annotations

import numpy as np

from wherry.tasks.backends.image.mask_search import crops, cut_off, grid, suppress


def test_suppression_keeps_the_surest_and_what_lies_apart() -> None:
    boxes = np.array(
        [[0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 30], [5, 5, 5, 5], [5, 5, 5, 5]], np.float32
    )
    scores = np.array([0.5, 0.75, 0.25, 0.125, 0.1], np.float32)
    assert suppress(boxes, scores, 0.7) == [1, 2, 3, 4]
    assert suppress(boxes, scores, 0.95) == [1, 0, 2, 3, 4]
    assert suppress(boxes[:0], scores[:0], 0.7) == []


def test_crops_cover_the_image_and_overlap() -> None:
    layers = crops((100, 60), 2, 0.25)
    assert [layer for layer, _ in layers] == [0] + [1] * 4 + [2] * 16
    assert layers[0][1] == (0, 0, 100, 60)
    for layer in (1, 2):
        covered = np.zeros((60, 100), dtype=int)
        for own, (left, top, right, bottom) in layers:
            covered[top:bottom, left:right] += own == layer
        assert covered.min() == 1
        assert covered.max() == 4


def test_an_image_of_few_pixels_has_no_empty_crops() -> None:
    for _, (left, top, right, bottom) in crops((3, 5), 3, 0.0):
        assert left < right
        assert top < bottom


def test_the_grid_leaves_half_a_step_at_the_edges() -> None:
    points = grid(2, (100, 60))
    assert points.tolist() == [[25, 15], [75, 15], [25, 45], [75, 45]]


def test_an_object_is_cut_at_a_crops_edge_but_not_at_the_images() -> None:
    crop, size = (0, 0, 100, 100), (200, 100)
    boxes = np.array([[0, 0, 50, 99], [40, 40, 85, 60], [40, 40, 79, 60]], np.float32)
    assert cut_off(boxes, crop, size).tolist() == [False, True, False]
