"""Masks as polygons for `cv2.fillPoly`, and rectangles around masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from wherry.tasks.values.outlines import outline
from wherry.tasks.values.rectangles import smallest_rectangle

cv2 = pytest.importorskip("cv2", reason="comes with the extra ocr")

DOWN, ACROSS = np.mgrid[:48, :64]


def disc(x: int, y: int, radius: int) -> Any:
    return (ACROSS - x) ** 2 + (DOWN - y) ** 2 <= radius**2


def drawn(corners: Any, shape: tuple[int, int]) -> Any:
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.array(corners, np.int32)], 1)
    return mask.astype(bool)


def parts(mask: Any) -> int:
    return int(cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[0]) - 1


@pytest.mark.parametrize(
    "mask",
    [
        disc(30, 20, 15),
        disc(30, 20, 15) & ~disc(33, 18, 8),
        disc(30, 20, 15) & ~disc(33, 18, 8) | disc(33, 18, 5) | disc(0, 47, 40) & ~disc(30, 20, 15),
        disc(1, 1, 9),
        np.ones((48, 64), bool),
        (DOWN == 5) & (ACROSS > 3),
        (DOWN == 5) & (ACROSS == 3),
        DOWN == ACROSS,
        (DOWN + ACROSS) % 2 == 0,
        (DOWN % 3 == 0) | (ACROSS % 3 == 0),
    ],
    ids=["disc", "ring", "rings", "edge", "all", "line", "pixel", "diagonal", "chess", "net"],
)
def test_one_part_is_drawn_again_with_its_holes(mask):
    if parts(mask) == 1:
        assert np.array_equal(drawn(outline(mask), mask.shape), mask)
    else:
        assert not (mask & ~drawn(outline(mask), mask.shape)).any()


@pytest.mark.parametrize("seed", range(40))
def test_of_any_mask_only_pixels_between_its_parts_are_more(seed):
    chance = np.random.default_rng(seed)
    mask = chance.random((9, 11)) < chance.random()
    if not mask.any():
        assert outline(mask) == []
        return
    found = drawn(outline(mask), mask.shape)
    assert not (mask & ~found).any()
    if parts(mask) == 1:
        assert np.array_equal(found, mask)


def made(kind: int, chance: Any) -> Any:
    x, y, radius = chance.integers(0, 64), chance.integers(0, 48), chance.integers(2, 24)
    mask = disc(x, y, radius)
    if kind == 1:
        mask = (abs(ACROSS - x) <= radius) & (abs(DOWN - y) <= radius // 2)
    elif kind == 2:
        mask &= ~disc(x, y, radius // 2)
    elif kind == 3:
        mask = (abs(ACROSS - x) <= DOWN - y) & (y + radius > DOWN)
    elif kind == 4:
        mask &= chance.random(mask.shape) < 0.9
    elif kind == 5:
        mask |= disc((x + 32) % 64, y, radius // 3)
    return mask


def test_over_made_masks_nearly_all_is_drawn_again():
    chance = np.random.default_rng(0)
    shares: dict[bool, list[float]] = {False: [], True: []}
    for number in range(158):
        mask = made(number % 6, chance)
        found = drawn(outline(mask), mask.shape)
        shares[parts(mask) > 1].append((mask & found).sum() / (mask | found).sum())
    assert min(shares[False]) == 1
    assert np.median(shares[True]) > 0.9, "a line a pixel wide lies between parts"


def test_parts_are_joined_by_a_line_between_near_places():
    mask = disc(12, 20, 10) | disc(50, 20, 10)
    more = drawn(outline(mask), mask.shape) & ~mask
    # As Ultralytics' own merge_multi_segment does: 17 columns lie between the two.
    assert np.argwhere(more).tolist() == [[20, x] for x in range(23, 40)]


def test_a_rectangle_is_its_corners():
    mask = np.zeros((6, 8), bool)
    mask[2:5, 1:7] = True
    assert outline(mask) == [(1, 2), (6, 2), (6, 4), (1, 4), (1, 2)]


def test_specks_by_the_thousand_are_done_in_time():
    mask = np.random.default_rng(0).random((100, 100)) < 0.05
    assert not (mask & ~drawn(outline(mask), mask.shape)).any()


@pytest.mark.parametrize("degrees", [0, 10, 30, 45, 72, 90])
def test_the_smallest_rectangle_is_turned_as_its_mask_is(degrees):
    angle = np.deg2rad(degrees)
    x, y = ACROSS - 31.5, DOWN - 23.5
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    mask = (abs(along) < 18) & (abs(across) < 6)
    corners = np.array(smallest_rectangle(mask))
    sides = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    assert sorted(sides.tolist()) == pytest.approx([12, 12, 36, 36], abs=1.5)
    pixels = np.argwhere(mask)[:, ::-1]
    around = np.concatenate([pixels + step for step in ((0, 0), (1, 0), (0, 1), (1, 1))])
    area = float(np.prod(cv2.minAreaRect(around.astype(np.float32))[1]))
    assert float(sides[0] * sides[1]) == pytest.approx(area, rel=1e-4)


def test_the_smallest_rectangle_of_a_pixel_is_the_pixel():
    mask = np.zeros((5, 5), bool)
    mask[3, 2] = True
    assert {tuple(np.round(c, 9)) for c in smallest_rectangle(mask)} == {
        (2, 3),
        (3, 3),
        (3, 4),
        (2, 4),
    }
