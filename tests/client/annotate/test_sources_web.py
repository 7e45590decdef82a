"""Sources of URLs, and sources that are URLs: fetched through the guard, by a real web server."""

from __future__ import annotations

import gzip
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wherry.client.annotate import sources
from wherry.client.annotate.rows import SourceRow, UnreadableRow
from wherry.client.annotate.sources import fetcher
from wherry.client.annotate.sources.confined import place_among
from wherry.client.annotate.sources.fetcher import KnownHosts
from wherry.client.annotate.sources.remote import file_system
from wherry.client.annotate.sources.web import web_files
from wherry.protocol.errors import InvalidRequest, RowError, Unavailable
from wherry.protocol.places import AllowedPlaces
from wherry.tasks.egress.settings import UrlSettings
from wherry.tasks.registry import get_task
from wherry.tasks.samples import PNG

from ...support.names import Names
from ...support.receiver import Receiver, status
from ...support.web import ranged
from .opened import open_source
from .test_sources_shards import pack

IMAGES = get_task("image-classification")
TEXTS = get_task("text-classification")
HERE = "127.0.0.1"


@pytest.fixture
def web() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine is one that URLs may lead to."""
    monkeypatch.setenv("WHERRY_URL_HOSTS", f"{HERE}:*")
    monkeypatch.setenv("WHERRY_URL_SCHEMES", "http")
    monkeypatch.setenv("WHERRY_OUTBOUND_NETWORKS", f"{HERE}/32")


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between tries, which nobody waits for."""
    paused: list[float] = []
    monkeypatch.setattr(fetcher, "_sleep", paused.append)
    monkeypatch.setattr(fetcher, "_HOSTS", KnownHosts())
    return paused


def reasons(rows: list[SourceRow | UnreadableRow]) -> list[str]:
    return [row.reason if isinstance(row, UnreadableRow) else "" for row in rows]


# --- URLs in lists and tables ---


@pytest.mark.usefixtures("allowed")
def test_a_list_of_urls_is_rows_and_each_that_fails_is_one(
    web: Receiver, tmp_path: Path, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHERRY_URL_MAX_BYTES", "1000")
    web.answers |= {
        "/a.png": status(200, b"a"),
        "/large": status(200, b"x" * 1001),
        "/empty": status(200),
        "/secret": status(403),
        "/broken": status(500),
        "/moved": status(302, location=web.url("/a.png", HERE)),
        "/inside": status(302, location="http://localhost/a.png"),
    }
    urls = [web.url(f"/{name}", HERE) for name in web.answers]
    urls += [web.url("/none", HERE), "https://127.0.0.1/x", "http://10.0.0.1/x", "http://"]
    (tmp_path / "urls.txt").write_text("\n".join(urls))
    rows = list(open_source(f"@{tmp_path}/urls.txt", IMAGES))
    assert [row.id for row in rows] == urls
    assert rows[0] == SourceRow(urls[0], {"images": b"a"}, urls[0])
    assert rows[5].values == {"images": b"a"}
    at = f"host '{HERE}'"
    assert reasons(rows) == [
        "",
        f"{at}: the file is over 1000 bytes",
        "the file is empty",
        f"{at}: answered 403",
        f"{at}: answered 500",
        "",
        "host 'localhost' is not in WHERRY_URL_HOSTS",
        f"{at}: answered 404: there is no such file",
        "scheme 'https' is not allowed; WHERRY_URL_SCHEMES has http",
        "host '10.0.0.1' is not in WHERRY_URL_HOSTS",
        "the URL names no host",
    ]
    times = [asked.path for asked in web.asked]
    assert (times.count("/broken"), times.count("/none")) == (4, 1)


@pytest.mark.usefixtures("allowed", "pauses")
def test_a_url_that_takes_too_long_is_a_failed_row_though_its_host_is_there(
    web: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHERRY_URL_TIMEOUT_S", "1.5")
    monkeypatch.setattr(fetcher, "_PAUSES_S", (0.0,))
    web.answers |= {"/a": status(200, b"a"), "/slow": lambda _: web.open.wait(60)}
    lines = [web.url("/a", HERE), web.url("/slow", HERE)]
    (tmp_path / "urls.lst").write_text("\n".join(lines))
    rows = list(open_source(str(tmp_path / "urls.lst"), IMAGES))
    assert reasons(rows) == ["", f"host '{HERE}': not done in 1.5 s"]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.usefixtures("allowed")
def test_a_column_of_urls(web: Receiver, tmp_path: Path, kind: str) -> None:
    names = [f"/{n}.png" for n in range(40)]
    web.answers |= {name: status(200, name.encode()) for name in names}
    urls = [web.url(name, HERE) for name in names]
    (tmp_path / "here.png").write_bytes(b"here")
    urls[20] = "here.png"
    path = tmp_path / f"rows.{kind}"
    if kind == "parquet":
        pq.write_table(pa.table({"image_url": urls}), path)
    elif kind == "csv":
        path.write_text("\n".join(["url", *urls]))
    else:
        path.write_text("\n".join(json.dumps({"image": {"path": url}}) for url in urls))
    rows = list(open_source(str(path), IMAGES))
    expected = [name.encode() for name in names]
    expected[20] = b"here"
    assert [row.values["images"] for row in rows] == expected
    assert rows[3].path == urls[3]


@pytest.mark.usefixtures("allowed")
def test_urls_are_fetched_several_at_a_time_and_given_in_order(
    web: Receiver, tmp_path: Path
) -> None:
    together = threading.Barrier(16, timeout=30)

    def meet(handler: BaseHTTPRequestHandler) -> None:
        together.wait()  # all of them, or none
        status(200, handler.path.encode())(handler)

    web.answers |= {f"/{n}": meet for n in range(32)}
    (tmp_path / "urls.lst").write_text("\n".join(web.url(f"/{n}", HERE) for n in range(32)))
    rows = list(open_source(str(tmp_path / "urls.lst"), IMAGES))
    assert [row.values["images"] for row in rows] == [f"/{n}".encode() for n in range(32)]


def test_no_url_is_fetched_until_hosts_are_allowed(web: Receiver, tmp_path: Path) -> None:
    url = web.url("/a.png", HERE)
    (tmp_path / "urls.lst").write_text(url)
    (row,) = open_source(str(tmp_path / "urls.lst"), IMAGES)
    assert row.reason.startswith("URLs are not fetched (WHERRY_URL_HOSTS is empty)")
    (tmp_path / "urls.csv").write_text(f"url\n{url}\n")
    with pytest.raises(InvalidRequest, match=r"urls.csv: column 'url': URLs are not fetched \(W"):
        open_source(str(tmp_path / "urls.csv"), IMAGES)
    assert web.asked == []


def test_a_host_that_is_here_is_not_reached_by_a_public_name(
    web: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHERRY_URL_HOSTS", "*:*")
    monkeypatch.setenv("WHERRY_URL_SCHEMES", "http")
    (tmp_path / "urls.lst").write_text(web.url("/a.png", "localhost"))
    (row,) = open_source(str(tmp_path / "urls.lst"), IMAGES)
    assert row.reason.endswith("not at a public address, nor in WHERRY_OUTBOUND_NETWORKS")
    assert web.asked == []


# --- hosts that fail for a while ---


@pytest.mark.usefixtures("allowed")
def test_a_server_that_asks_for_time_is_given_it(
    web: Receiver, tmp_path: Path, pauses: list[float]
) -> None:
    answers = iter([status(503, retry_after="7"), status(429, retry_after="2"), status(200, b"a")])
    web.answers["/a"] = lambda handler: next(answers)(handler)
    web.answers["/b"] = status(429, retry_after="4000")
    (tmp_path / "urls.lst").write_text(web.url("/a", HERE))
    (row,) = open_source(str(tmp_path / "urls.lst"), IMAGES)
    assert row.values == {"images": b"a"}
    assert pauses == [7.0, 5.0]
    (tmp_path / "urls.lst").write_text(web.url("/b", HERE))
    (row,) = open_source(str(tmp_path / "urls.lst"), IMAGES)
    assert row.reason == f"host '{HERE}': answered 429"
    assert len(pauses) == 2, "one that asks for an hour is not waited for"


@pytest.mark.usefixtures("allowed")
def test_a_host_that_was_there_is_waited_for_and_one_that_never_was_is_a_failed_row(
    web: Receiver, tmp_path: Path, pauses: list[float]
) -> None:
    web.answers["/a"] = status(200, b"a")
    gone = Receiver()
    gone.close()
    lines = [web.url("/a", HERE), gone.url("/a", HERE), gone.url("/b", HERE)]
    (tmp_path / "urls.lst").write_text("\n".join(lines))
    rows = open_source(str(tmp_path / "urls.lst"), IMAGES)
    assert reasons(list(rows)) == ["", *[f"host '{HERE}': no connection"] * 2]
    pauses.clear()
    list(rows)
    assert pauses == [], "one that was not there a moment ago is tried once"
    web.close()
    with pytest.raises(Unavailable, match=f"host '{HERE}': no connection"):
        list(rows)
    assert pauses == [1.0, 5.0, 15.0]


def test_a_host_is_waited_for_only_so_long() -> None:
    now = [0.0]
    hosts = KnownHosts(lambda: now[0])
    hosts.answers("a")
    assert hosts.is_away("a")
    now[0] = 500.0
    assert hosts.is_away("a")
    hosts.answers("a")
    now[0] = 900.0
    assert hosts.is_away("a")
    assert not hosts.is_dead("a")
    now[0] = 1501.0
    assert not hosts.is_away("a"), "the rows of a host that is gone for good end at last"
    assert hosts.is_dead("a")
    now[0] = 1562.0
    assert not hosts.is_dead("a"), "it is given its tries again"


# --- sources that are URLs ---


def files(tmp_path: Path) -> dict[str, bytes]:
    lines = b'{"text":"a"}\n{"text":"b"}\n'
    pq.write_table(pa.table({"text": ["a", "b"]}), tmp_path / "a.parquet")
    return {
        "/t/a.jsonl": lines,
        "/t/a.jsonl.gz": gzip.compress(lines),
        "/t/a.csv": b"text\na\nb\n",
        "/t/a.parquet": (tmp_path / "a.parquet").read_bytes(),
        "/t/a.txt": b"a\nb\n",
    }


@pytest.mark.parametrize("has_ranges", [True, False])
def test_tables(web: Receiver, tmp_path: Path, has_ranges: bool) -> None:
    made = files(tmp_path)
    web.answers |= {n: ranged(b) if has_ranges else status(200, b) for n, b in made.items()}
    for name in made:
        rows = list(open_source(web.url(name, HERE) + "?sig=a/b&c", TEXTS))
        assert rows == [SourceRow("0", {"texts": "a"}), SourceRow("1", {"texts": "b"})], name
    assert {asked.path.partition("?")[2] for asked in web.asked} == {"sig=a/b&c"}


def test_a_server_that_packs_what_it_sends_is_understood(web: Receiver) -> None:
    packed = gzip.compress(b"text\na\nb\n")
    web.answers["/a.csv"] = status(200, packed, content_encoding="gzip")
    web.answers["/a.csv.gz"] = status(200, packed, content_encoding="gzip")
    for name in web.answers:
        assert len(list(open_source(web.url(name, HERE), TEXTS))) == 2


@pytest.mark.parametrize("has_ranges", [True, False])
def test_archives_and_shards(web: Receiver, tmp_path: Path, has_ranges: bool) -> None:
    pack(tmp_path / "s.tar", ("1.png", PNG), ("2.png", PNG))
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("in/x.png", PNG)
        archive.writestr("y.png", PNG)
    tar = (tmp_path / "s.tar").read_bytes()
    made = {"/s-0.tar": tar, "/s-1.tar": tar, "/a.zip": zipped.getvalue()}
    web.answers |= {n: ranged(b) if has_ranges else status(200, b) for n, b in made.items()}

    def ids(path: str) -> list[str]:
        return [row.id for row in open_source(web.url(path, HERE), IMAGES)]

    assert ids("/s-{0..1}.tar") == ["s-0/1", "s-0/2", "s-1/1", "s-1/2"]
    assert ids("/s-0.tar/") == ["1.png", "2.png"]
    assert ids("/a.zip") == ["in/x.png", "y.png"]
    assert ids("/a.zip/in") == ["x.png"]


def test_only_what_is_needed_of_a_large_file_is_asked_for(web: Receiver, tmp_path: Path) -> None:
    noise = [b"%06d" % n * 4000 for n in range(1000)]
    table = pa.table({"text": [f"row {n}" for n in range(1000)], "noise": noise})
    pq.write_table(table, tmp_path / "a.parquet", compression="none", use_dictionary=False)
    web.answers["/a.parquet"] = ranged((tmp_path / "a.parquet").read_bytes())
    rows = list(open_source(web.url("/a.parquet", HERE), TEXTS))
    assert [row.values["texts"] for row in rows] == [f"row {n}" for n in range(1000)]
    assert len(web.asked) > 2
    assert all("range" in asked.headers for asked in web.asked)


def test_names_in_a_web_table_are_seen_from_it(web: Receiver) -> None:
    web.answers |= {
        "/t/rows.csv": status(200, b"file_name\np/a%201.png\np/b#c.png\np/gone.png\n"),
        "/t/p/a%201.png": status(200, b"1"),
        "/t/p/b%23c.png": status(200, b"2"),
    }
    rows = list(open_source(web.url("/t/rows.csv", HERE) + "?v=1", IMAGES))
    assert [row.values["images"] for row in rows[:2]] == [b"1", b"2"]
    assert rows[2].reason.endswith("there is no such file")


def test_one_picture_and_what_is_no_source(web: Receiver) -> None:
    web.answers |= {
        "/a": status(200, PNG),
        "/b.png": status(200, PNG),
        "/photos/": status(200, b"<html>"),
        "/secret.csv": status(403),
    }
    assert [row.values["images"] for row in open_source(web.url("/b.png", HERE), IMAGES)] == [PNG]
    assert [row.id for row in open_source(web.url("/a?w=640", HERE), IMAGES)] == ["a?w=640"]
    with pytest.raises(InvalidRequest, match="is no image file by its name or its first bytes"):
        open_source(web.url("/photos/", HERE), IMAGES)
    with pytest.raises(InvalidRequest, match="there is no such file or folder"):
        open_source(web.url("/none.csv", HERE), IMAGES)
    with pytest.raises(InvalidRequest, match="answered 403"):
        open_source(web.url("/secret.csv", HERE), IMAGES)
    with pytest.raises(InvalidRequest, match="no user and password"):
        open_source(f"http://me:word@{HERE}/a.csv", IMAGES)


def test_a_source_of_ones_own_opens_its_host_and_no_other(web: Receiver) -> None:
    """Whoever types a URL means its host, be it in the own network; rows are others' word."""
    other = Receiver()
    other.answers["/x.png"] = status(200, b"x")
    here, there = web.url("/x.png", HERE), other.url("/x.png", HERE)
    web.answers |= {
        "/x.png": status(200, b"own"),
        "/rows.csv": status(200, f"url\n{here}\n{there}\n".encode()),
        "/moved.csv": status(302, location=other.url("/rows.csv", HERE)),
    }
    try:
        rows = list(open_source(web.url("/rows.csv", HERE), IMAGES))
        assert rows[0].values == {"images": b"own"}
        assert rows[1].reason.startswith("URLs are not fetched (WHERRY_URL_HOSTS is empty)")
        with pytest.raises(InvalidRequest, match="URLs are not fetched"):
            open_source(web.url("/moved.csv", HERE), IMAGES)
        assert other.asked == []
    finally:
        other.close()


def test_a_public_host_cannot_become_one_of_the_own_network(web: Receiver) -> None:
    names = Names(evil_test=[["93.184.215.14"], [HERE]])
    settings = UrlSettings(url_hosts="")
    url = web.url("/a.csv", "evil.test")
    files = web_files(file_system, source=url, settings=settings, resolve=names)
    with pytest.raises(RowError, match="not at a public address"):
        files.read(url)
    assert web.asked == []


def test_a_file_that_changes_is_told(web: Receiver) -> None:
    body = b"text\n" + b"".join(b"row %06d\n" % n for n in range(500_000))
    web.answers["/a.csv"] = ranged(body)
    url = web.url("/a.csv", HERE)
    source = sources.open_source(url, TEXTS)
    first, *others = source.parts(200_000)
    assert first.mark == 'a.csv ("one")'
    assert len(others) == 2
    rows = source.part(first)
    next(iter(rows))
    web.answers["/a.csv"] = ranged(body, '"two"')
    left = list(rows)
    assert isinstance(left[-1], UnreadableRow)
    assert "the file has changed while it was read" in left[-1].reason
    with pytest.raises(InvalidRequest, match=r"changed since its parts were cut: 'a.csv \(\"one"):
        list(source.part(others[0]))


# --- in a fleet ---


def test_a_fleets_places_and_hosts_say_what_is_fetched(
    web: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHERRY_OUTBOUND_NETWORKS", f"{HERE}/32")
    web.answers |= {
        "/sets/a.csv": status(200, f"url\nb.png\n{web.url('/other/c.png', HERE)}\n".encode()),
        "/sets/urls.txt": status(200, b"b.png\n../other/c.png\n%2e%2e/other/c.png\n"),
        "/sets/b.png": status(200, b"b"),
        "/other/c.png": status(200, b"c"),
        "/other/a.csv": status(200, b"url\nc.png\n"),
    }
    place = place_among(AllowedPlaces.of(web.url("/sets/", HERE)))

    def rows(path: str, list_: str = "") -> list[SourceRow | UnreadableRow]:
        url = list_ + web.url(path, HERE)
        return list(sources.open_source(url, IMAGES, place=place))

    not_fetched = "URLs are not fetched (WHERRY_URL_HOSTS is empty): name their hosts there, or"
    assert [reason[: len(not_fetched)] for reason in reasons(rows("/sets/a.csv"))] == [
        *("", not_fetched)
    ]
    listed = reasons(rows("/sets/urls.txt", "@"))
    assert (listed[0], listed[1][: len(not_fetched)]) == ("", not_fetched)
    assert listed[2] == "a path with . or .. in it is not fetched"
    with pytest.raises(InvalidRequest, match="URLs are not fetched"):
        rows("/other/a.csv")
    monkeypatch.setenv("WHERRY_URL_HOSTS", f"{HERE}:*")
    monkeypatch.setenv("WHERRY_URL_SCHEMES", "http")
    assert reasons(rows("/sets/a.csv")) == ["", ""]
    assert reasons(rows("/other/a.csv")) == [""]


def test_a_fleet_of_one_user_names_any_public_host_and_no_private_one(
    web: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.answers["/a.csv"] = status(200, b"text\na\n")
    place = place_among(AllowedPlaces.of("local"))
    with pytest.raises(InvalidRequest, match="nor in WHERRY_OUTBOUND_NETWORKS"):
        sources.open_source(web.url("/a.csv", HERE), TEXTS, place=place)
    monkeypatch.setenv("WHERRY_OUTBOUND_NETWORKS", f"{HERE}/32")
    assert len(list(sources.open_source(web.url("/a.csv", HERE), TEXTS, place=place))) == 1


def test_no_web_server_is_written_to() -> None:
    with pytest.raises(ValueError, match="a web server takes no files"):
        file_system("https://example.org/out")
