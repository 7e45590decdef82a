"""Rare kinds of pictures against the pixels that a viewer shows, told by hand."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from wherry.protocol.errors import RowError
from wherry.tasks.media.decode import decode

from ...support import tiny


def tiff(values: Any, *, kind: int = 1, white_is_zero: bool = False) -> bytes:
    """A grey TIFF. values: (height, width); kind: 1 for unsigned, 2 for signed, 3 for floats."""
    height, width = values.shape
    tags = {256: width, 257: height, 258: values.itemsize * 8, 259: 1, 262: int(not white_is_zero)}
    tags |= {273: 0, 277: 1, 278: height, 279: values.nbytes, 339: kind}
    tags[273] = 14 + 12 * len(tags)
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags))
    pixels: bytes = values.astype(values.dtype.newbyteorder("<")).tobytes()
    return head + entries + bytes(4) + pixels


def seen(data: bytes) -> NDArray[np.uint8]:
    """Its red; green and blue are the same in a grey picture."""
    pixels = np.array(decode(data))
    assert (pixels == pixels[..., :1]).all()
    return pixels[..., 0]


@pytest.mark.parametrize(
    ("mode", "form"), [("RGBA", "PNG"), ("LA", "PNG"), ("RGBA", "WEBP"), ("RGBA", "TIFF")]
)
def test_black_letters_on_clear_ground_are_black_on_white(mode: str, form: str) -> None:
    picture = Image.new(mode, (30, 10), (0, 0) if mode == "LA" else (0, 0, 0, 0))
    letter = (0, 255) if mode == "LA" else (0, 0, 0, 255)
    picture.paste(letter, (10, 2, 20, 8))
    pixels = seen(tiny.encode(picture, form, **({"lossless": True} if form == "WEBP" else {})))
    assert (pixels[2:8, 10:20] == 0).all()
    pixels[2:8, 10:20] = 255
    assert (pixels == 255).all()


def test_what_lets_half_through_is_half_white() -> None:
    picture = Image.new("RGBA", (4, 4), (200, 0, 0, 51))
    assert np.asarray(decode(tiny.encode(picture)))[0, 0].tolist() == [244, 204, 204]


@pytest.mark.parametrize("form", ["PNG", "GIF"])
def test_a_clear_colour_of_a_palette_is_white(form: str) -> None:
    picture = Image.new("P", (4, 4), 1)
    picture.putpalette([9, 9, 9, 0, 0, 0, 40, 40, 40])
    picture.putpixel((2, 2), 2)
    pixels = seen(tiny.encode(picture, form, transparency=1))
    assert (pixels[2, 2], pixels[0, 0]) == (40, 255)


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
@pytest.mark.parametrize("bits", [10, 12, 16])
def test_deep_pixels_keep_their_range(bits: int, form: str) -> None:
    ramp = np.linspace(0, 2**bits - 1, 256).astype(np.uint16).reshape(16, 16)
    assert (seen(tiny.encode(Image.fromarray(ramp), form)) == ramp >> bits - 8).all()


def test_whole_numbers_of_32_bits() -> None:
    values = np.array([[0, 2**31, 2**32 - 1]], np.uint32)
    assert seen(tiff(values)).tolist() == [[0, 128, 255]]
    assert seen(tiff(np.array([[0, 1000, 4000]], np.int32), kind=2)).tolist() == [[0, 62, 250]]


@pytest.mark.parametrize(("dtype", "least"), [(np.uint8, 155), (np.uint16, 255 - 100 // 256)])
def test_where_0_is_white(dtype: Any, least: int) -> None:
    most = np.iinfo(dtype).max
    values = np.array([[0, 100, most]], dtype)
    assert seen(tiff(values, white_is_zero=True)).tolist() == [[255, least, 0]]


@pytest.mark.parametrize("top", [1.0, 255.0, 65535.0])
def test_floats_are_scaled_by_what_they_are_of(top: float) -> None:
    ramp = np.linspace(0, top, 256, dtype=np.float32).reshape(16, 16)
    assert (seen(tiff(ramp, kind=3)).ravel() == np.arange(256)).all()


def test_a_little_over_one_is_white() -> None:
    """As resizing leaves it."""
    values = np.array([[0, 0.5, 1.0000001, 1.04]], np.float32)
    assert seen(tiff(values, kind=3)).tolist() == [[0, 128, 255, 255]]
    assert seen(tiff(values, kind=3, white_is_zero=True)).tolist() == [[255, 127, 0, 0]]


@pytest.mark.parametrize(
    ("values", "kind", "said"),
    [
        (np.array([[-1, 5]], np.int16), 2, "values below 0"),
        (np.array([[-1, 5]], np.int32), 2, "values below 0"),
        (np.array([[-0.5, 1]], np.float32), 3, "from -0.5 to 1"),
        (np.array([[0, np.nan]], np.float32), 3, "from nan to nan"),
        (np.array([[0, np.inf]], np.float32), 3, "to inf"),
    ],
)
def test_what_says_no_brightness_is_refused(values: Any, kind: int, said: str) -> None:
    with pytest.raises(RowError, match=said):
        decode(tiff(values, kind=kind))


def test_colours_of_print_and_of_the_eye() -> None:
    ink = tiny.encode(Image.new("CMYK", (2, 2), (0, 255, 255, 0)), "TIFF")
    assert np.asarray(decode(ink))[0, 0].tolist() == [255, 0, 0]
    grey = tiny.encode(Image.new("LAB", (2, 2), (128, 128, 128)), "TIFF")
    assert np.asarray(decode(grey))[0, 0].tolist() == pytest.approx([119, 119, 119], abs=3)
