from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pycocotools import mask as coco

from wherry.protocol.errors import InvalidRequest
from wherry.tasks.values.rle import (
    counts,
    decode_compressed,
    decode_decimal,
    encode_compressed,
    encode_decimal,
    mask_of,
)

Mask = NDArray[np.bool_]


@st.composite
def masks(draw: st.DrawFn, least: int = 0) -> Mask:
    """Noise, blocks of runs, nothing, everything; of any size, also none."""
    height, width = draw(st.integers(least, 40)), draw(st.integers(least, 40))
    share = draw(st.sampled_from([0.0, 0.01, 0.3, 0.99, 1.0]))
    noise = np.random.default_rng(draw(st.integers(0, 999))).random((height, width)) < share
    block = draw(st.integers(1, 9))
    return np.repeat(np.repeat(noise, block, axis=0), block, axis=1)


@given(masks())
@example(np.zeros((0, 0), bool))
@example(np.ones((1, 1), bool))
def test_masks_survive_every_encoding(mask: Mask) -> None:
    assert np.array_equal(mask_of(counts(mask), *mask.shape), mask)
    assert np.array_equal(decode_decimal(encode_decimal(mask), *mask.shape), mask)
    assert np.array_equal(decode_compressed(encode_compressed(mask), *mask.shape), mask)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools'
@given(masks(least=1))
@example(np.arange(3000 * 1000).reshape(3000, 1000) > 2_999_000)
@example(np.eye(700, 900, dtype=bool))
def test_the_compressed_string_is_the_one_of_pycocotools(mask: Mask) -> None:
    theirs = coco.encode(np.asfortranarray(mask, np.uint8))
    assert encode_compressed(mask) == theirs["counts"].decode()
    assert theirs["size"] == list(mask.shape)
    ours = {"size": list(mask.shape), "counts": encode_compressed(mask).encode()}
    assert np.array_equal(coco.decode(ours), mask)


@given(masks(least=1))
def test_the_counts_are_those_that_pycocotools_reads(mask: Mask) -> None:
    uncompressed = {"size": list(mask.shape), "counts": counts(mask)}
    theirs = coco.frPyObjects(uncompressed, *mask.shape)
    assert theirs["counts"].decode() == encode_compressed(mask)


def test_columns_come_first_and_zeros_begin() -> None:
    mask = np.array([[0, 1, 1], [0, 0, 1]], bool)
    assert counts(mask) == [2, 1, 1, 2]
    assert encode_decimal(mask) == "2,1,1,2"
    assert encode_decimal(~mask) == "0,2,1,1,2"
    assert encode_decimal(np.zeros((2, 3), bool)) == "6"


def test_runs_of_no_length_between_others_are_read() -> None:
    assert decode_decimal("1,0,1,2", 2, 2).tolist() == [[False, True], [False, True]]


@pytest.mark.parametrize(
    ("text", "height", "width", "message"),
    [
        ("2,1", 2, 2, "run lengths: 3 pixels in all, but 2 x 2 = 4 are to be filled"),
        ("2,3", 2, 2, "5 pixels in all"),
        ("", 2, 2, "expected decimals and commas alone"),
        ("2,,2", 2, 2, "expected decimals"),
        ("2, 2", 2, 2, "expected decimals"),
        ("-1,5", 2, 2, "expected decimals"),
        ("1_0", 2, 5, "expected decimals"),
        ("٤", 2, 2, "expected decimals"),
        ("9" * 5000, 2, 2, "expected decimals"),
        ("9" * 18 + ",4", 2, 2, "each has to be 0 to"),
        ("4", -2, -2, "a mask of -2 x -2"),
        ("9999999999", 99999, 100001, "pixels are allowed"),
    ],
)
def test_decimals_that_do_not_fit_are_refused(
    text: str, height: int, width: int, message: str
) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(message)):
        decode_decimal(text, height, width)


@pytest.mark.parametrize("text", ["", "o", "4o", " ", "p0", "é0", "o" * 8 + "0", "oooooooo", "N5"])
def test_strings_that_are_no_runs_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="run lengths"):
        decode_compressed(text, 2, 2)


@given(st.text(max_size=30), st.integers(0, 9), st.integers(0, 9))
def test_any_text_is_a_mask_or_refused(text: str, height: int, width: int) -> None:
    for decode in (decode_decimal, decode_compressed):
        try:
            mask = decode(text, height, width)
        except InvalidRequest:
            continue
        assert mask.shape == (height, width)


@pytest.mark.parametrize("lengths", [["a"], [[1], [2, 3]], [10**30], [None], [-1, 5], [1.5, {}]])
def test_lists_that_are_no_runs_are_refused(lengths: list[object]) -> None:
    with pytest.raises(InvalidRequest):
        mask_of(lengths, 2, 2)  # type: ignore[arg-type] # what JSON may hold
