from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from wherry.protocol.errors import InvalidRequest
from wherry.tasks.values.masks import read_mask, write_mask


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_a_mask_comes_back_as_it_was_written() -> None:
    mask = np.random.default_rng(0).random((17, 31)) < 0.5
    assert np.array_equal(read_mask(write_mask(mask)), mask)


def test_a_file_is_grey_with_0_and_255() -> None:
    with Image.open(io.BytesIO(write_mask(np.eye(2, dtype=bool)))) as image:
        assert image.mode == "L"
        assert np.asarray(image).tolist() == [[255, 0], [0, 255]]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_other_kinds_of_png_are_read(mode: str) -> None:
    grey = Image.fromarray(np.array([[0, 255, 0]], np.uint8))
    assert read_mask(_png(grey.convert(mode))).tolist() == [[False, True, False]]


def test_masks_of_0_and_1_are_read() -> None:
    assert read_mask(_png(Image.fromarray(np.array([[0, 1]], np.uint8)))).tolist() == [[0, 1]]


@pytest.mark.parametrize("data", [b"", b"no image", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
def test_what_is_no_png_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidRequest, match="PNG"):
        read_mask(data)


def test_half_a_file_is_refused() -> None:
    whole = write_mask(np.random.default_rng(0).random((64, 64)) < 0.5)
    with pytest.raises(InvalidRequest, match="PNG"):
        read_mask(whole[: len(whole) // 2])


def test_a_file_too_large_is_refused_before_it_is_decoded() -> None:
    large = bytearray(write_mask(np.zeros((1, 1), bool)))
    large[16:24] = (20_000).to_bytes(4) + (20_000).to_bytes(4)
    with pytest.raises(InvalidRequest):
        read_mask(bytes(large))
