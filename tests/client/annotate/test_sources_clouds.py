"""Sources behind gs:// and az://, by an emulator of each cloud. What S3 does is beside this."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wherry.client.annotate import sources
from wherry.client.annotate.rows import SourceRow, UnreadableRow
from wherry.client.annotate.sources import listings, remote
from wherry.client.annotate.sources.base import Columns
from wherry.client.annotate.sources.choose import place_of
from wherry.client.annotate.sources.confined import place_among
from wherry.client.annotate.sources.parts import Part
from wherry.client.annotate.sources.remote import open_url
from wherry.client.annotate.sources.sampling import USUAL
from wherry.client.annotate.sources.walking import FoundFile
from wherry.client.annotate.sources.watched import open_watched, refuse_unwatched
from wherry.protocol.errors import InvalidRequest, RowError, Unavailable
from wherry.protocol.places import AllowedPlaces
from wherry.tasks.registry import get_task
from wherry.tasks.samples import PNG

from ...support.clouds import Bucket, Cloud, bucket_of
from .opened import open_source
from .test_sources_archives import zipped
from .test_sources_shards import pack

IMAGES = get_task("image-classification")
TEXTS = get_task("text-classification")


@pytest.fixture(params=["gcs", "azure"])
def bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with bucket_of(request.getfixturevalue(request.param), monkeypatch) as bucket:
        yield bucket


def test_prefix_is_a_folder(bucket: Bucket) -> None:
    names = ["in/b.JPG", "in/a/z.png", "in/a.webp", "in/é 1.png", "in/n.txt", "in/.h/x.png"]
    bucket.put(**{name: name.encode() for name in [*names, "in2.png"]}, **{"in/e.png": b""})
    for spec in ("in", "in/"):
        rows = list(open_source(bucket.url(spec), IMAGES))
        assert [row.id for row in rows] == ["a.webp", "a/z.png", "b.JPG", "e.png", "é 1.png"]
        path = bucket.url("in/a/z.png")
        assert rows[1] == SourceRow("a/z.png", {"images": b"in/a/z.png"}, path)
        assert rows[3] == UnreadableRow("e.png", "the file is empty", bucket.url("in/e.png"))
    assert [row.id for row in open_source(bucket.url(""), IMAGES)][-1] == "in2.png"
    assert [row.id for row in open_source(bucket.url("in/*/*.png"), IMAGES)] == ["a/z.png"]
    assert [row.id for row in open_source(bucket.url("in2.png"), IMAGES)] == ["in2.png"]


def test_listing_is_page_by_page_and_begins_where_a_part_does(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put(**{f"in/{n:02}.png": b"%d" % n for n in range(25)}, **{"in/x/a.txt": b"-"})
    lister = listings.key_lister
    pages: list[int] = []

    def of_ten(fs: Any) -> Any:
        _pages_of_ten(fs, monkeypatch)
        list_page = lister(fs)
        assert list_page is not None

        def page(*asked: Any) -> listings.KeyPage:
            found = list_page(*asked)
            pages.append(len(found.keys))
            return found

        return page

    monkeypatch.setattr(remote, "key_lister", of_ten)
    files, path = open_url(bucket.url("in"))
    assert list(files.keys(path) or ()) == [*(f"{n:02}.png" for n in range(25)), "x/a.txt"]
    assert pages == [10, 10, 6]
    source = sources.open_source(bucket.url("in"), IMAGES)
    parts = list(source.parts(8))
    assert [(part.mark, part.last) for part in parts][2:] == [
        ("16.png", "23.png"),
        ("24.png", "24.png"),
    ]
    pages.clear()
    rows = list(source.part(Part.of(parts[2].as_json())))
    assert [row.id for row in rows] == [f"{n}.png" for n in range(16, 24)]
    assert sum(pages) == 10, "nothing before it is listed"


def _pages_of_ten(fs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a cloud's own calls answer ten keys at a time, and none of its pages be longer."""
    if hasattr(fs, "service_client"):
        get = fs.service_client.get_container_client

        def client(container: str) -> Any:
            client = get(container)
            list_blobs = client.list_blobs
            client.list_blobs = lambda **asked: list_blobs(**{**asked, "results_per_page": 10})
            return client

        monkeypatch.setattr(fs.service_client, "get_container_client", client)
    else:
        call = fs.call
        monkeypatch.setattr(fs, "call", lambda *a, **asked: call(*a, **{**asked, "maxResults": 10}))


def test_a_source_that_changes_after_it_was_cut_is_told(bucket: Bucket) -> None:
    bucket.put(**{f"in/{n:02}.png": b"x" for n in range(6)}, **{"t.csv": b"text\na\nb\n"})
    source = sources.open_source(bucket.url("in"), IMAGES)
    parts = list(source.parts(2))
    table = sources.open_source(bucket.url("t.csv"), TEXTS)
    (whole,) = table.parts(10)
    assert "t.csv (" in whole.mark
    assert len(list(table.part(whole))) == 2
    bucket.put(**{"in/02b.png": b"x", "t.csv": b"text\nc\nd\n"})
    assert len(list(source.part(parts[0]))) == 2
    with pytest.raises(InvalidRequest, match=r"changed .*'03.png' stood where '02b.png' is"):
        list(source.part(parts[1]))
    with pytest.raises(InvalidRequest, match=r"changed since its parts were cut: 't.csv \("):
        list(table.part(whole))


def test_a_name_that_the_library_would_turn_round_is_told_and_no_other_is_read(
    azure: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bucket_of(azure, monkeypatch) as bucket:
        bucket.put(**{"in/a?b#c.png": b"lies under another name"})  # a#c.png?b, by adlfs
        files, path = open_url(bucket.url("in"))
        assert list(files.keys(path) or ()) == ["a#c.png?b"]
        with pytest.raises(RowError, match="both [?] and # in it"):
            files.read(f"{path}/a?b#c.png")


def test_tables_and_saved_folders(bucket: Bucket, tmp_path) -> None:
    pq.write_table(pa.table({"text": ["a", "b"]}), tmp_path / "a.parquet")
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as file:
        table = pa.table({"text": ["a", "b"]})
        with pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
    lines = b'{"text":"a"}\n{"text":"b"}\n'
    bucket.put(
        **{
            "t/a.parquet": (tmp_path / "a.parquet").read_bytes(),
            "t/a.arrow": (tmp_path / "a.arrow").read_bytes(),
            "t/a.csv": b"text\r\na\r\nb\r\n",
            "t/a.jsonl": lines,
            "t/a.jsonl.gz": gzip.compress(lines),
            "set/state.json": json.dumps({"_data_files": [{"filename": "d.arrow"}]}).encode(),
            "set/d.arrow": (tmp_path / "a.arrow").read_bytes(),
        }
    )
    expected = [SourceRow("0", {"texts": "a"}), SourceRow("1", {"texts": "b"})]
    for name in ("t/a.parquet", "t/a.arrow", "t/a.csv", "t/a.jsonl", "t/a.jsonl.gz", "set"):
        assert list(open_source(bucket.url(name), TEXTS)) == expected, name
    assert open_source(bucket.url("t/a.parquet"), TEXTS).count() == 2
    assert len(list(open_source(bucket.url("t/*.jsonl"), TEXTS))) == 2


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # putting it there
def test_a_large_table_is_read_by_ranges(bucket: Bucket, tmp_path) -> None:
    """A Parquet file of 12 MB whose one column of texts has 40 kB."""
    noise = [b"%06d" % n * 2000 for n in range(1000)]
    table = pa.table({"text": [f"row {n}" for n in range(1000)], "noise": noise})
    pq.write_table(table, tmp_path / "a.parquet", compression="none", use_dictionary=False)
    bucket.fs.put_file(str(tmp_path / "a.parquet"), f"{bucket.name}/a.parquet")
    rows = list(open_source(bucket.url("a.parquet"), TEXTS))
    assert [row.values["texts"] for row in rows] == [f"row {n}" for n in range(1000)]


def test_paths_in_tables_are_seen_from_the_table(bucket: Bucket, tmp_path) -> None:
    rows = [{"file_name": name} for name in ("p/1.png", bucket.url("t/p/2.png"), "p/gone.png")]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    bucket.put(**{"t/a.jsonl": lines.encode(), "t/p/1.png": b"1", "t/p/2.png": b"2"})
    assert list(open_source(bucket.url("t/a.jsonl"), IMAGES)) == [
        SourceRow("0", {"images": b"1"}, bucket.url("t/p/1.png")),
        SourceRow("1", {"images": b"2"}, bucket.url("t/p/2.png")),
        UnreadableRow("2", "there is no such file", bucket.url("t/p/gone.png")),
    ]
    (tmp_path / "here.lst").write_text(bucket.url("t/p/2.png") + "\n")
    (row,) = open_source(str(tmp_path / "here.lst"), IMAGES)
    assert row.values == {"images": b"2"}


def test_archives_and_shards(bucket: Bucket, tmp_path) -> None:
    pack(tmp_path / "s.tar", ("1.png", PNG), ("2.png", PNG))
    data = (tmp_path / "s.tar").read_bytes()
    bucket.put(
        **{
            "s-0.tar": data,
            "s-1.tar": data[:1500],
            "a.zip": zipped(tmp_path / "a.zip", {"in/x.png": PNG, "y.png": PNG}).read_bytes(),
        }
    )
    rows = list(open_source(bucket.url("s-{0..1}.tar"), IMAGES))
    assert [row.id for row in rows] == ["s-0/1", "s-0/2", "s-1.tar#rest"]
    assert rows[0].path == bucket.url("s-0.tar/1.png")
    assert [row.id for row in open_source(bucket.url("a.zip"), IMAGES)] == ["in/x.png", "y.png"]
    assert [row.id for row in open_source(bucket.url("s-0.tar/"), IMAGES)] == ["1.png", "2.png"]


@pytest.mark.parametrize("name", ["none", "none/a.parquet", "none/*.png", "none-{0..2}.tar"])
def test_what_is_not_there_is_told_at_once(bucket: Bucket, name: str) -> None:
    with pytest.raises(InvalidRequest, match="there is no such file or folder"):
        open_source(bucket.url(name), IMAGES)
    with pytest.raises(InvalidRequest, match="nobodys"):
        open_source(f"{bucket.cloud.scheme}://nobodys/{name}", IMAGES)


def test_places_are_held_and_so_is_what_tables_name(bucket: Bucket) -> None:
    bucket.put(**{"in/a.png": PNG, "out/b.png": PNG})
    bucket.put(**{"in/t.csv": f"file_name\na.png\n{bucket.url('out/b.png')}\n".encode()})
    place = place_among(AllowedPlaces.of(bucket.url("in/")))
    with pytest.raises(InvalidRequest, match="no place that runs may read"):
        sources.open_source(bucket.url("out"), IMAGES, place=place)
    rows = list(sources.open_source(bucket.url("in/t.csv"), IMAGES, place=place))
    assert isinstance(rows[0], SourceRow)
    assert isinstance(rows[1], UnreadableRow)
    assert rows[1].reason == "column 'file_name': is in no place that runs may read"


def test_an_account_in_the_url_stays_in_it(azure: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in azure.env.items():
        monkeypatch.setenv(name, value)
    url = "abfs://box@devstoreaccount1.dfs.core.windows.net/in/a.png"
    files, path = open_url(url)
    assert (path, files.shown(path)) == ("box/in/a.png", url)
    place = place_among(AllowedPlaces.of("abfs://box@devstoreaccount1.dfs.core.windows.net/in/"))
    files, path = place(url)
    with pytest.raises(RowError, match="there is no such file"):
        files.read(path)


@pytest.mark.parametrize("url", ["s3://key:secret@photos/in", "az://account:key@box/in"])
def test_a_url_with_a_key_in_it_is_refused_by_name(url: str) -> None:
    with pytest.raises(InvalidRequest, match="no key or password in a URL"):
        open_source(url, IMAGES)


def test_credentials_that_are_none_are_told_of_the_place_and_not_of_rows(
    azure: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    import adlfs

    told = azure.env["AZURE_STORAGE_CONNECTION_STRING"]
    key = told.partition("AccountKey=")[2].partition(";")[0]
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", told.replace(key, "bm8ga2V5IGF0IGFsbA=="))
    adlfs.AzureBlobFileSystem.clear_instance_cache()
    with pytest.raises(Unavailable, match="az://box/in"):
        open_source("az://box/in", IMAGES)
    adlfs.AzureBlobFileSystem.clear_instance_cache()


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for scheme, extra in (("gs", "gcs"), ("az", "azure"), ("abfs", "azure")):

        def missing(url: str, **_: object) -> Any:
            raise ImportError(f"install a file system for {url}")

        monkeypatch.setattr("fsspec.core.url_to_fs", missing)
        with pytest.raises(InvalidRequest, match=rf"pip install 'wherry\[{extra}\]'"):
            open_source(f"{scheme}://box/in", IMAGES)


def test_a_prefix_is_watched(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is new or another, in the order of paths, over pages, and behind a path alone."""
    lister = listings.key_lister

    def of_ten(fs: Any) -> Any:
        _pages_of_ten(fs, monkeypatch)
        return lister(fs)

    monkeypatch.setattr(remote, "key_lister", of_ten)
    refuse_unwatched(bucket.url("in"), place_of)  # empty as it is
    folder = open_watched(bucket.url("in"), IMAGES, Columns(), USUAL, place_of)
    assert folder.is_flat
    assert list(folder.watched()) == []
    names = [*(f"{n:02}.png" for n in range(25)), "a-b.png", "a/b.png", "a.png", "Z.png", "é.png"]
    # What means something in URLs.
    names += [
        *("a?b.png", "a#b.png", "a b.png", "a%2Fb.png", "a+b.png", "\N{CAMERA}.png"),
    ]
    bucket.put(**{f"in/{name}": PNG for name in names}, **{"in2.png": PNG, "in/a.txt": b"-"})
    first = {file.path: file.version for file in folder.watched()}
    assert list(first) == sorted(names)
    assert not any(version.changed_at for version in first.values()), "an object is whole"
    assert {file.path: file.version for file in folder.watched()} == first
    assert [file.path for file in folder.watched("20.png")] == sorted(names)[21:]
    bucket.put(**{"in/07.png": PNG + b"2", "in/a0.png": PNG})
    second = {file.path: file.version for file in folder.watched()}
    assert list(second) == sorted([*names, "a0.png"])
    assert {path for path in first if second[path] != first[path]} == {"07.png"}
    rows = folder.listed(lambda: [FoundFile("07.png", id="07.png@2"), FoundFile("gone.png")])
    assert [(row.id, isinstance(row, SourceRow)) for row in rows] == [
        ("07.png@2", True),
        ("gone.png", False),
    ]
