"""Names of files, made of rows' ids."""

from __future__ import annotations

import random
import unicodedata

import pytest

from wherry.client.annotate.formats.file_names import FileNames

from .answers import HARD_IDS


def taken(ids: list[str], suffix: str = ".txt") -> list[str]:
    names = FileNames()
    found = [names.take(row_id, suffix) for row_id in ids]
    names.close()
    return found


def test_names_are_safe_and_one_of_a_kind_on_every_system():
    found = taken(list(HARD_IDS))
    folded = {unicodedata.normalize("NFC", name).casefold() for name in found}
    assert len(folded) == len(HARD_IDS)
    for name in found:
        parts = name.split("/")
        assert not {"", ".", ".."} & set(parts)
        assert not any(character in name for character in '\\:*?"<>|\x00\n')
        assert all(len(part.encode()) <= 255 and part == part.rstrip(" .") for part in parts)
        assert len(name.encode()) < 3000
        # No name is a folder on another's way.
        assert not any(other.casefold().startswith(name.casefold() + "/") for other in found)


def test_plain_names_stay_as_they_are():
    ids = ["a.jpg", "B/c d.PNG", "B/e.v2.jpeg", "\u6d77.webp", "no suffix", "v1.2"]
    assert taken(ids) == [
        "a.txt",
        "B/c d.txt",
        "B/e.v2.txt",
        "\u6d77.txt",
        "no suffix.txt",
        "v1.2.txt",
    ]


def test_the_suffix_of_every_source_is_taken_off():
    ids = [f"{n}{suffix}" for n, suffix in enumerate((".mpo", ".jp2", ".ICO", ".w64", ".heic"))]
    assert taken(ids) == [f"{n}.txt" for n in range(len(ids))]


def test_long_names_that_clash_fit_every_system():
    sea = "\u6d77" * 100
    found = taken([f"{sea}.jpg", f"{sea}.txt/{sea}.jpg", f"{sea}.png", f"{sea}.txt/{sea}.png"])
    assert len(set(found)) == 4
    assert all(len(part.encode()) <= 255 for name in found for part in name.split("/"))


def test_the_same_ids_get_the_same_names():
    ids = [random.Random(n).choice(HARD_IDS) + str(n) for n in range(200)]
    assert taken(ids) == taken(ids)


def test_an_id_that_comes_again_and_again_is_refused():
    with pytest.raises(ValueError, match="'a': a row of that id"):
        taken(["a"] * 4)
