"""A source that somebody else names stays in its places, whatever is in it."""

from __future__ import annotations

import zipfile

import pytest

from wherry.client.annotate.rows import UnreadableRow
from wherry.client.annotate.sources import Columns, open_source
from wherry.client.annotate.sources.confined import place_among
from wherry.protocol.errors import InvalidRequest
from wherry.protocol.places import AllowedPlaces
from wherry.tasks.registry import get_task

IMAGES = get_task("image-classification")


@pytest.fixture
def place(tmp_path):
    """A folder that runs may read, beside one that they may not."""
    for name in ("place", "secret"):
        (tmp_path / name).mkdir()
    (tmp_path / "secret/s.png").write_bytes(b"secret")
    (tmp_path / "place/a.png").write_bytes(b"a")
    return tmp_path / "place"


def opened(spec, place):
    return open_source(
        str(spec), IMAGES, Columns(), place=place_among(AllowedPlaces.of(str(place)))
    )


def answers(source):
    return {
        row.id: row.reason if isinstance(row, UnreadableRow) else row.values["images"]
        for row in source
    }


def test_a_place_is_read_and_nothing_beside_it(place, tmp_path):
    assert answers(opened(place, place)) == {"a.png": b"a"}
    assert answers(opened(f"{place}/*.png", place)) == {"a.png": b"a"}
    for spec in (tmp_path, tmp_path / "secret", f"{place}/../secret", "/etc/hosts", "s3://x/y"):
        with pytest.raises(InvalidRequest, match="WHERRY_RUN_PLACES"):
            opened(spec, place)


def test_links_are_not_followed_out_of_it(place, tmp_path):
    (place / "link.png").symlink_to(tmp_path / "secret/s.png")
    (place / "folder").symlink_to(tmp_path / "secret")
    (place / "same.png").symlink_to(place / "a.png")
    found = answers(opened(place, place))
    assert found["a.png"] == found["same.png"] == b"a"
    assert found["link.png"] == "is in no place that runs may read"
    assert b"secret" not in found.values()


def test_what_tables_lists_and_archives_name_is_confined(place, tmp_path):
    secret = tmp_path / "secret/s.png"
    lines = ["file_name", "a.png", str(secret), f"file://{secret}", "../secret/s.png", "s3://x/y"]
    (place / "t.csv").write_text("\n".join(lines))
    (place / "l.lst").write_text("\n".join(lines[1:]))
    with zipfile.ZipFile(place / "t.zip", "w") as archive:
        archive.write(place / "t.csv", "t.csv")
        archive.write(place / "a.png", "a.png")
    for spec in ("t.csv", "l.lst", "t.zip/t.csv"):
        found = list(answers(opened(place / spec, place)).values())
        assert found[0] == b"a", spec
        assert len(found) == 5
        assert all(isinstance(answer, str) for answer in found[1:]), found
    with pytest.raises(InvalidRequest, match="WHERRY_RUN_PLACES"):
        opened(f"@{secret}", place)
    assert answers(opened(f"@{place}/l.lst", place))["a.png"] == b"a"
