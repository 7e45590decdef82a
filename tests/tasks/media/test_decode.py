from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from transformers.image_utils import load_image

from wherry.protocol.errors import RowError
from wherry.tasks.media.decode import decode
from wherry.tasks.media.size import FORMATS

from ...support import tiny


def equal(first: Image.Image, second: Image.Image) -> bool:
    return bool(np.array_equal(np.asarray(first), np.asarray(second)))


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I", "F"]
)
def test_every_mode_becomes_rgb(mode: str) -> None:
    image = tiny.noise(20, 10).convert("L" if mode == "PA" else "RGB").convert(mode)
    decoded = decode(
        tiny.encode(image, "PNG" if mode in {"1", "L", "LA", "P", "RGB", "RGBA"} else "TIFF")
    )
    assert (decoded.mode, decoded.size) == ("RGB", (20, 10))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_same_pixels_as_transformers_loader(mode: str) -> None:
    data = tiny.encode(tiny.noise(20, 10).convert("RGB").convert(mode))
    assert equal(decode(data), load_image(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize("form", sorted(set(FORMATS) - {"ICO"}))
def test_every_format_is_read(form: str) -> None:
    decoded = decode(tiny.encode(tiny.noise(40, 24), form))
    assert (decoded.mode, decoded.size) == ("RGB", (40, 24))


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bits_become_eight_and_not_white(form: str) -> None:
    ramp = np.linspace(0, 65535, 256, dtype=np.uint16).reshape(16, 16)
    decoded = np.asarray(decode(tiny.encode(Image.fromarray(ramp), form)))
    assert np.array_equal(decoded[..., 0], (ramp >> 8).astype(np.uint8))


def test_dark_sixteen_bits_keep_their_values() -> None:
    dark = np.arange(256, dtype=np.uint16).reshape(16, 16)
    assert np.array_equal(np.asarray(decode(tiny.encode(Image.fromarray(dark))))[..., 0], dark)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = tiny.encode(tiny.noise(20, 10), "JPEG", exif=exif)
    assert equal(decode(data), load_image(Image.open(io.BytesIO(data))))


def test_an_animation_is_its_first_frame() -> None:
    frames = [tiny.noise(16, 16, seed) for seed in range(3)]
    data = tiny.encode(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert equal(decode(data), frames[0])


def broken_png() -> bytes:
    return tiny.encode(tiny.noise(64, 64))[:200]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"not an image", "not an image of a known format"),
        (broken_png(), "cannot be read"),
        (tiny.encode(tiny.noise(64, 64), "JPEG")[:300], "cannot be read"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "image"),
        (tiny.encode(tiny.noise(8, 8), "EPS"), "not an image of a known format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image of a known format"),
    ],
)
def test_what_is_no_image_is_a_row_error(data: bytes, said: str) -> None:
    with pytest.raises(RowError, match=said):
        decode(data)


def test_too_many_pixels_are_refused_before_they_are_decoded() -> None:
    bomb = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")  # 400 million pixels in 50 KB
    with pytest.raises(RowError, match="too many pixels; 100000000 are allowed"):
        decode(bomb.getvalue())


def test_the_limit_can_be_set() -> None:
    data = tiny.encode(tiny.noise(10, 10))
    assert decode(data, max_pixels=100).size == (10, 10)
    with pytest.raises(RowError, match="99 are allowed"):
        decode(data, max_pixels=99)


def test_exif_that_lies_does_no_harm() -> None:
    data = tiny.encode(tiny.noise(8, 8), "JPEG", exif=b"Exif\0\0garbage")
    assert decode(data).size == (8, 8)


@pytest.mark.parametrize(
    ("at_least", "size"),
    [
        (None, (808, 404)),
        ((404, 202), (404, 202)),  # a half
        ((202, 101), (202, 101)),  # a quarter; an eighth would be of 50.5 lines
        ((1, 1), (202, 101)),
        ((405, 202), (808, 404)),
        ((404, 203), (808, 404)),
    ],
)
def test_a_large_jpeg_may_be_decoded_to_less(
    at_least: tuple[int, int] | None, size: tuple[int, int]
) -> None:
    image = Image.linear_gradient("L").resize((808, 404)).convert("RGB")
    assert decode(tiny.encode(image, "JPEG"), at_least=at_least).size == size
    assert decode(tiny.encode(image, "PNG"), at_least=at_least).size == image.size
    turned = at_least and (at_least[1], at_least[0])
    exif = Image.Exif()
    exif[274] = 6
    upright = decode(tiny.encode(image, "JPEG", exif=exif), at_least=turned)
    assert upright.size == (size[1], size[0])
