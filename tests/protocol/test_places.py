"""What is in a place, and what only looks so."""

from __future__ import annotations

from pathlib import Path

import pytest

from wherry.protocol.places import AllowedPlaces

PLACES = AllowedPlaces.of("/data/, s3://bucket/photos, /srv/sets")


@pytest.mark.parametrize(
    "path",
    [
        "/data",
        "/data/",
        "/data/a/b.jpg",
        "/data/**/*.jpg",
        "/data/./a",
        "/srv/sets/x.csv",
        "file:///data/a",
        "s3://bucket/photos",
        "S3://bucket/photos/x.zip",
    ],
)
def test_what_is_in_a_place(path: str) -> None:
    assert PLACES.allow(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/dat",
        "/database/x",
        "/data/../etc/passwd",
        "/data/{a,../../etc}/x",
        "//data/x",
        "data/x",
        "~/x",
        "file:///etc/passwd",
        "file://host/../etc",
        "s3://bucket/photos2/x",
        "s3://bucket",
        "s3://bucket/photos/../secret/x",
        "s3://bucket/photos/x::file:///etc/passwd",
        "simplecache::s3://bucket/photos/x",
        "https://bucket/photos",
        "/data/a\\..\\..\\x",
        "/data/a\0b",
    ],
)
def test_what_only_looks_so(path: str) -> None:
    assert not PLACES.allow(path)


def test_links_lead_out_of_a_place(tmp_path: Path) -> None:
    place, elsewhere = tmp_path / "place", tmp_path / "else"
    place.mkdir()
    elsewhere.mkdir()
    (place / "in").symlink_to(place)
    (place / "out").symlink_to(elsewhere)
    places = AllowedPlaces.of(str(place))
    assert places.allow(f"{place}/out/x")
    assert places.allow_file(f"{place}/in/x")
    assert not places.allow_file(f"{place}/out/x")
    linked = tmp_path / "linked"
    linked.symlink_to(place)
    assert AllowedPlaces.of(str(linked)).allow_file(f"{linked}/x")


def test_without_places_nothing_is_in_one_and_with_local_all_is() -> None:
    assert not AllowedPlaces.of("").allow("/data/x")
    assert AllowedPlaces.of("local").allow("/etc/hosts")
    assert AllowedPlaces.of("local, /data/").allow("s3://any/where")
    assert not AllowedPlaces.of("local, /data/").without_local().allow("/etc/hosts")
    assert AllowedPlaces.of("local, /data/").without_local().allow("/data/x")


@pytest.mark.parametrize("text", ["data/", "~/data", "localhost", "C:\\data"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no place"):
        AllowedPlaces.of(text)


@pytest.mark.parametrize("path", ["/data/x", "/data/x/", "s3://bucket/photos/x", "file:///data/x"])
def test_an_output_has_room_beside_it(path: str) -> None:
    assert PLACES.has_room_beside(path)


@pytest.mark.parametrize("path", ["/data", "/data//", "s3://bucket/photos/", "file:///srv/sets"])
def test_a_place_itself_has_none_for_that_would_lie_outside(path: str) -> None:
    assert PLACES.allow(path)
    assert not PLACES.has_room_beside(path)


@pytest.mark.parametrize("path", ["/", "s3://bucket", "s3://bucket/"])
def test_nothing_lies_beside_what_has_no_name(path: str) -> None:
    assert not AllowedPlaces.of("local").has_room_beside(path)
    assert AllowedPlaces.of("local").has_room_beside(path + "/x")
