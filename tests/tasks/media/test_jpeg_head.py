"""A JPEG's size at a glance: never another than Pillow's, however its header is broken."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import ExifTags, Image

from wherry.tasks.cost import weigh
from wherry.tasks.media import size
from wherry.tasks.media.jpeg_head import JpegHead, read_jpeg_head
from wherry.tasks.media.size import displayed_size


def jpeg(mode: str = "RGB", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (40, 30)).save(file, "JPEG", **options)
    return file.getvalue()


def turned() -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    return jpeg(exif=exif)


PLAIN = {
    "baseline": jpeg(),
    "progressive": jpeg(progressive=True),
    "grey": jpeg("L"),
    "comment": jpeg(comment=b"hello"),
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_file_is_read_at_a_glance(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_jpeg_head(PLAIN[name]) == JpegHead(40, 30, True)
    monkeypatch.delattr("PIL.Image.open")
    assert displayed_size(PLAIN[name]) == (40, 30)


def test_what_may_be_turned_is_left_to_pillow() -> None:
    assert read_jpeg_head(turned()) == JpegHead(40, 30, False)
    assert displayed_size(turned()) == (30, 40)
    assert weigh("pixels", "image", turned(), None) == 1200


@pytest.mark.parametrize("name", PLAIN)
def test_a_cut_or_bent_header_is_what_pillow_makes_of_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = PLAIN[name]
    end = whole.index(b"\xff\xda") + 20
    files = [whole[:cut] for cut in range(2, end, 7)]
    bent = (
        bytes([whole[at] ^ 0x55]).join((whole[:at], whole[at + 1 :])) for at in range(2, end, 5)
    )
    files.extend(bent)
    quick = [displayed_size(file) for file in files]
    monkeypatch.setattr(size, "read_jpeg_head", lambda _: None)
    slow = [displayed_size(file) for file in files]
    # What Pillow cannot make out, such as a broken table, is an error of the row's own later.
    assert [q for q, s in zip(quick, slow, strict=True) if s is not None] == [
        s for s in slow if s is not None
    ]


def test_what_is_unusual_is_left_to_others() -> None:
    whole = PLAIN["baseline"]
    frame = whole.index(b"\xff\xc0")
    odd = [
        whole[:2] + b"\xff" + whole[2:],
        whole[:2] + b"\xff\xd0" + whole[2:],
        whole[: frame + 19] + whole[frame:],
        whole[: frame + 4] + b"\x0c" + whole[frame + 5 :],
    ]
    assert [read_jpeg_head(file) for file in odd] == [None] * 4


def test_a_bomb_is_left_to_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert displayed_size(PLAIN["baseline"]) is None
