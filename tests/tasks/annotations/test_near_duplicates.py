"""Pictures that look alike are found, none is missed, and others are left alone."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from wherry.client.annotate.report.thumbnails import look_at, thumbnail
from wherry.tasks.annotations.near_duplicates import (
    BLANK,
    MOST_BITS,
    PICTURE,
    NearGroup,
    SeenPicture,
    SeenPictures,
    near_duplicates,
)


def scene(seed: int) -> Image.Image:
    """Something to see: blots of colour, as large as things in photographs."""
    blots = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), np.uint8)
    return Image.fromarray(blots).resize((640, 480), Image.Resampling.BICUBIC)


def file(image: Image.Image, form: str = "JPEG", **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def looked(value: int, colour: int = 0) -> SeenPicture:
    return SeenPicture(value, bytes([colour] * 48))


def seen(data: bytes) -> int:
    small = thumbnail(data, 256)
    assert small is not None
    return small.look.hash


@pytest.mark.parametrize("seed", range(8))
def test_another_size_quality_or_format_looks_alike(seed: int) -> None:
    image = scene(seed)
    first = seen(file(image, quality=95))
    others = [
        file(image, quality=30),
        file(image, "PNG"),
        file(image, "WEBP", quality=60),
        file(image.resize((311, 233)), quality=80),
    ]
    assert max((first ^ seen(other)).bit_count() for other in others) <= MOST_BITS
    look = look_at(others[0])
    assert look
    assert (first ^ look.hash).bit_count() <= MOST_BITS


def test_other_pictures_do_not() -> None:
    hashes = [seen(file(scene(seed))) for seed in range(60)]
    apart = [(a ^ b).bit_count() for at, a in enumerate(hashes) for b in hashes[:at]]
    assert min(apart) > 2 * MOST_BITS


def test_a_blank_picture_is_like_no_other() -> None:
    hashes = [seen(file(Image.new("RGB", (99, 50), colour))) for colour in ("white", "navy")]
    assert hashes == [BLANK, BLANK]
    pictures = SeenPictures()
    for place, value in enumerate((*hashes, 7)):
        pictures.note(place, looked(value), bytes([place] * 16))
    found = near_duplicates(pictures.table, groups=9, members=9)
    assert (found.pictures, found.blank, found.duplicates, found.listed) == (3, 2, 0, [])


def test_drawings_of_other_colours_do_not_look_alike() -> None:
    pictures = SeenPictures()
    for place, colour in enumerate((10, 20, 90)):
        pictures.note(place, looked(0x33, colour), bytes([place] * 16))
    assert near_duplicates(pictures.table).listed == [NearGroup([0, 1], 2)]


def test_a_crowd_of_copies_is_one_group() -> None:
    pictures = SeenPictures()
    for place in range(2200):  # more than one is held to
        pictures.note(place, looked(1 << place % 4), place.to_bytes(16, "little"))
    found = near_duplicates(pictures.table)
    assert (found.groups, found.duplicates) == (1, 2199)


def test_what_is_no_picture_has_no_hash() -> None:
    assert look_at(b"") is None
    assert look_at(b"\xff\xd8\xff nothing") is None


def test_no_pair_is_missed_however_many_there_are() -> None:
    chance = np.random.default_rng(5)
    table = np.zeros(20_000, PICTURE)
    table["position"] = np.arange(20_000)
    table["key"] = np.arange(20_000)
    table["hash"] = chance.integers(0, 1 << 62, 20_000, np.uint64)
    copies = {}
    for place in range(0, 3000, 3):  # each with up to four bits turned
        bits = chance.choice(62, chance.integers(0, MOST_BITS + 1), replace=False)
        turned = sum(1 << int(bit) for bit in bits)
        table["hash"][10_000 + place] = table["hash"][place] ^ np.uint64(turned)
        copies[place] = 10_000 + place
    chance.shuffle(table)
    found = near_duplicates(table, groups=5000, members=3)
    assert {group.positions[0]: group.positions[1] for group in found.listed} == copies
    assert (found.pictures, found.duplicates, found.groups) == (20_000, 1000, 1000)


def test_equal_files_count_once_and_groups_are_bounded() -> None:
    pictures = SeenPictures()
    for place in range(300):
        group = place % 30
        value = (group * 0x1F1F1F1F1F1F1F) % (1 << 63)
        pictures.note(place, looked(value), bytes([place // 2, 1] * 8))
    rows = near_duplicates(pictures.table, groups=4, members=3)
    assert rows.pictures == 150  # two and two have the same key
    assert len(rows.listed) == 4
    assert all(len(group.positions) == 3 and group.count > 3 for group in rows.listed)


def test_parts_are_put_together_where_their_rows_turned_out_to_be() -> None:
    whole, part = SeenPictures(), SeenPictures()
    whole.note(0, looked(5), b"a" * 16)
    part.note(3, looked(5), b"b" * 16)
    whole.add(SeenPictures(bytes(part)), moved=4)
    found = near_duplicates(whole.table, groups=1, members=9)
    assert found.listed == [NearGroup([0, 7], 2)]


def test_none_are_none() -> None:
    found = near_duplicates(SeenPictures().table, groups=1, members=1)
    assert found == (0, 0, 0, 0, [])
