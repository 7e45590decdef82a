from __future__ import annotations

import numpy as np
import pytest

from wherry.tasks.train.shapes_data import SIZE, Drawn, draw, overlap, photographs, piece
from wherry.tasks.train.shapes_quality import Quality, quality

BOX = (10, 10, 30, 30)
TRUTH = [Drawn(1, BOX)]


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
