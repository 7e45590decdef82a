"""The size that is told of an image is that of the pixels that models get."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import pytest
from PIL import Image, ImageFile

from wherry.tasks import cost
from wherry.tasks.media.decode import decode
from wherry.tasks.media.size import FORMATS, displayed_size


def stored(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (40, 24)).save(file, kind, **options)
    return file.getvalue()


def exif(orientation: int) -> Image.Exif:
    found = Image.Exif()
    found[0x0112] = orientation
    return found


def same(data: bytes) -> tuple[int, int] | None:
    """The size, which is held against the decoder's; what a row weighs is as many pixels."""
    told = displayed_size(data)
    width, height = decode(data).size
    assert told == (width, height)
    assert cost.weigh("pixels", "image", data, None) == width * height
    return told


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["AVIF", "JPEG", "PNG", "TIFF", "WEBP"])
def test_a_turned_image_is_told_upright(kind: str, orientation: int) -> None:
    told = same(stored(kind, exif=exif(orientation)))
    assert told == ((24, 40) if orientation >= 5 else (40, 24))


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_has_a_size(kind: str) -> None:
    same(stored(kind))


def test_rarer_files_have_one() -> None:
    same(stored("JPEG2000", no_jp2=True))
    same(stored("PPM", "F"))
    same(stored("MPO", save_all=True, append_images=[Image.new("RGB", (40, 24))]))
    same(stored("WEBP", "RGBA"))


def test_a_png_may_say_it_last_or_in_words() -> None:
    plain = stored("PNG")
    tiff = exif(6).tobytes().removeprefix(b"Exif\0\0")
    end = plain.rindex(b"IEND") - 4
    behind = plain[:end] + chunk(b"eXIf", tiff) + plain[end:]
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    words = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)
    start = plain.index(b"IDAT") - 4
    assert same(behind) == (24, 40)
    assert same(plain[:start] + words + plain[start:]) == (24, 40)


@pytest.mark.parametrize("inner", ["bmp", "png"])
def test_an_icon_is_as_large_as_the_largest_picture_in_it(inner: str) -> None:
    assert same(stored("ICO", sizes=[(16, 16), (40, 24)], bitmap_format=inner)) == (40, 24)


def test_an_icon_is_not_decoded_for_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    png = stored("PNG")
    icon = struct.pack("<3H4B2H2I", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(png), 22) + png
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("it was decoded"))
    assert displayed_size(icon) == (40, 24)


def test_no_pixels_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {kind: stored(kind, exif=exif(6)) for kind in ("AVIF", "JPEG", "PNG", "TIFF", "WEBP")}
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("it was decoded"))
    assert {kind: displayed_size(file) for kind, file in files.items()} == dict.fromkeys(
        files, (24, 40)
    )


def test_an_animated_png_has_its_size() -> None:
    more = [Image.new("RGB", (40, 24), (n, 0, 0)) for n in range(1, 3)]
    assert same(stored("PNG", save_all=True, append_images=more)) == (40, 24)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


@pytest.mark.parametrize("data", [b"", b"text", stored("PNG")[:20], b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_what_is_no_image_has_none(data: bytes) -> None:
    assert displayed_size(data) is None
