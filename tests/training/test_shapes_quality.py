from __future__ import annotations

import numpy as np
import pytest
from training.shapes_quality import Quality, label_overlaps, quality

from wherry.samples.shapes_data import (
    COLOURS,
    SHAPES,
    SIZE,
    Drawn,
    draw,
    label_map,
    overlap,
    photographs,
    piece,
)

BOX = (10, 10, 30, 30)
TRUTH = [Drawn(1, BOX, "red")]


def test_one_right_answer() -> None:
    assert quality([TRUTH], [[(1, BOX)]]) == Quality(recall=1, precision=1, exact=1)


def test_a_second_answer_for_one_shape_is_no_find() -> None:
    assert quality([TRUTH], [[(1, BOX), (1, BOX)]]) == Quality(recall=1, precision=0.5, exact=0)


def test_a_wrong_name_beside_the_right_one_costs() -> None:
    assert quality([TRUTH], [[(0, BOX), (1, BOX), (2, BOX)]]).exact == 0


def test_a_wrong_place_finds_nothing() -> None:
    assert quality([TRUTH], [[(1, (40, 40, 60, 60))]]) == Quality(0, 0, 0)


def test_silence_before_nothing_is_right() -> None:
    assert quality([[], TRUTH], [[], []]) == Quality(recall=0, precision=0, exact=0.5)


@pytest.mark.parametrize(
    ("other", "share"), [(BOX, 1), ((30, 10, 50, 30), 0), ((20, 10, 40, 30), 1 / 3)]
)
def test_overlap(other: tuple[int, int, int, int], share: float) -> None:
    assert overlap(BOX, other) == pytest.approx(share)


def test_drawings_repeat_by_seed_and_stay_inside() -> None:
    first, second = (draw(np.random.default_rng(3), most=3) for _ in range(2))
    assert first[1] == second[1]
    assert first[0].tobytes() == second[0].tobytes()
    assert all(0 <= edge < SIZE for drawn in first[1] for edge in drawn.box)


def test_pieces_of_photographs_hold_no_shapes() -> None:
    image, drawn = piece(np.random.default_rng(0), photographs())
    assert (image.size, image.mode, drawn) == ((SIZE, SIZE), "RGB", [])


def test_a_label_map_marks_the_pixels_of_each_colour() -> None:
    for seed in range(20):
        image, drawn = draw(np.random.default_rng(seed), most=3)
        found, pixels = label_map(drawn), np.asarray(image)
        assert found.shape == (SIZE, SIZE)
        for item in drawn:
            shown = found == 1 + item.shape
            coloured = (pixels == COLOURS[item.colour]).all(-1)
            left, top, right, bottom = item.box
            box = np.s_[top : bottom + 1, left : right + 1]
            assert coloured[box].sum() > 0
            assert shown[box][coloured[box]].mean() > 0.9  # a later shape may lie on a corner
        ground = pixels[found == 0]
        assert not any((ground == colour).all(-1).any() for colour in COLOURS.values())


def test_a_drawing_says_what_it_shows() -> None:
    assert Drawn(0, BOX, "red").caption == "red circle"
    assert {drawn.caption for drawn in map(_one, range(300))} == {
        f"{colour} {shape}" for colour in COLOURS for shape in SHAPES
    }


def _one(seed: int) -> Drawn:
    return draw(np.random.default_rng(seed))[1][0]


def test_overlaps_of_labels() -> None:
    truth, found = np.array([[[0, 0], [1, 1]]]), np.array([[[0, 1], [1, 1]]])
    assert label_overlaps(truth, found, 3) == [0.5, pytest.approx(2 / 3), 0.0]
