"""The quicker decoders answer what Pillow answers."""

from __future__ import annotations

import io
import sys
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin

from wherry.protocol.errors import RowError
from wherry.tasks.media import decode as decoding
from wherry.tasks.media import quick
from wherry.tasks.media.rgb import rgb

MODES = ["L", "LA", "RGB", "RGBA", "P", "1", "I;16"]


def picture(mode: str = "RGB", size: tuple[int, int] = (37, 23)) -> Image.Image:
    values = np.random.default_rng(3).integers(0, 255, (size[1], size[0], 4), dtype="u1")
    if mode == "I;16":
        return Image.fromarray(values[..., 0].astype("u2") * 257)
    return Image.fromarray(values).convert(mode)


def stored(image: Image.Image, kind: str, **how: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def by_pillow(data: bytes) -> Image.Image:
    image: Image.Image = Image.open(io.BytesIO(data))
    return rgb(ImageOps.exif_transpose(image))


def is_quick(data: bytes) -> bool:
    image = decoding.open_image(data)
    return quick.decoded(image, data) is not image


@pytest.mark.parametrize(
    ("data", "taken"),
    [
        *((stored(picture(mode), "PNG"), mode in ("L", "LA", "RGB", "RGBA")) for mode in MODES),
        (stored(picture(), "PNG", transparency=(1, 2, 3)), False),
        (stored(picture(), "PNG", save_all=True, append_images=[picture("L")]), False),
        (stored(picture(), "WEBP", quality=70), True),
        (stored(picture("RGBA"), "WEBP", quality=70), True),
        (stored(picture("RGBA"), "WEBP", lossless=True), True),
        (stored(picture(), "WEBP", save_all=True, append_images=[picture("L")]), False),
    ],
)
def test_pixels_are_pillows_whoever_decodes(data: bytes, *, taken: bool) -> None:
    assert is_quick(data) == taken
    assert decoding.decode(data).tobytes() == by_pillow(data).tobytes()


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_is_upright(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = stored(picture(), kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    assert is_quick(data)
    assert decoding.decode(data).tobytes() == by_pillow(data).tobytes()
    assert decoding.decode(data).size == ((23, 37) if orientation > 4 else (37, 23))


def test_what_is_told_behind_the_pixels_is_heard() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    plain, told = stored(picture(), "PNG"), exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = b"eXIf" + told
    late = len(told).to_bytes(4) + chunk + zlib.crc32(chunk).to_bytes(4)
    data = plain[:-12] + late + plain[-12:]
    assert not is_quick(data)
    assert decoding.decode(data).size == (23, 37)


def test_words_before_the_pixels_hold_nobody_up() -> None:
    words = PngImagePlugin.PngInfo()
    words.add_text("Comment", "IDAT eXIf tEXt")
    assert is_quick(stored(picture(), "PNG", pnginfo=words))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_broken_file_is_refused_as_pillow_refuses_it(kind: str) -> None:
    data = stored(picture(size=(300, 200)), kind)
    with pytest.raises(RowError, match="the image cannot be read"):
        decoding.decode(data[: len(data) // 2])


def test_without_the_extra_it_is_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_for = decoding._quick_decoder
    monkeypatch.setitem(sys.modules, quick.__name__, None)
    looked_for.cache_clear()
    try:
        for _ in range(3):
            assert decoding.decode(stored(picture(), "PNG")).size == (37, 23)
        assert looked_for.cache_info().misses == 1
        assert looked_for() is None
    finally:
        looked_for.cache_clear()
