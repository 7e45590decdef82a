"""What is in a place, and what only looks so."""

from __future__ import annotations

from pathlib import Path

import pytest

from wherry.protocol.places import AllowedPlaces, has_password

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


SETS = AllowedPlaces.of(
    "hf://datasets/acme/reviews,hf://datasets/open/,/data/,postgres://db/reviews"
)


@pytest.mark.parametrize(
    "url",
    [
        "hf://datasets/acme/reviews",
        "HF://datasets/acme/reviews@v1",
        "hf://datasets/acme/reviews@refs/convert/parquet/en",
        "hf://datasets/acme/reviews@v1/en/train",
        "hf://datasets/open/any@v1",
        "sqlite:////data/rows.db",
        "postgresql://db/reviews",
    ],
)
def test_data_sets_of_a_hub_and_data_bases_may_be_in_a_place(url: str) -> None:
    assert SETS.allow(url)


@pytest.mark.parametrize(
    "url",
    [
        "hf://datasets/acme/reviews2",
        "hf://datasets/acme/reviews2@v1",
        "hf://datasets/acme@x/reviews",
        "hf://datasets/acme/reviews@v1/../../other/reviews",
        "hf://models/acme/reviews",
        "sqlite:///data/rows.db",
        "sqlite:////data/../etc/rows.db",
        "postgresql://db/others",
        "postgresql://db/reviews?host=elsewhere",
        "postgresql://db/reviews#x",
        "postgresql://me@db/reviews",
        "postgresql://db,elsewhere/reviews",
    ],
)
def test_what_leads_to_another_data_set_or_server_is_outside(url: str) -> None:
    assert not SETS.allow(url)


@pytest.mark.parametrize(
    ("url", "holds"),
    [
        ("postgresql://me:hush@db/reviews", True),
        ("postgresql://db/reviews?password=hush", True),
        ("postgresql://db/reviews?sslpassword=", True),
        ("s3://key:hush@bucket/rows.csv", True),
        ("postgresql://me@db/reviews?sslmode=require", False),
        ("/data/me:hush@rows.csv", False),
        ("s3://bucket/a:b@c.csv", False),
        ("hf://datasets/acme/reviews@v1", False),
    ],
)
def test_a_password_in_a_url_is_seen(url: str, holds: bool) -> None:
    assert has_password(url) is holds
