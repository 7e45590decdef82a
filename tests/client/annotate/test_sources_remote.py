"""Sources behind s3://, by an S3 server, and behind any other fsspec URL."""

from __future__ import annotations

import gzip
import json
import sys
import threading
from collections.abc import Iterator
from typing import Any

import boto3
import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wherry.client.annotate.rows import SourceRow, UnreadableRow
from wherry.client.annotate.sources import remote
from wherry.client.annotate.sources.remote import RemoteFiles, open_url
from wherry.jobs.settings import JobsSettings
from wherry.protocol.errors import InvalidRequest, Unavailable
from wherry.tasks.registry import get_task
from wherry.tasks.samples import PNG

from .opened import open_source
from .test_sources_shards import pack

IMAGES = get_task("image-classification")
TEXTS = get_task("text-classification")


@pytest.fixture
def bucket(s3: JobsSettings, monkeypatch) -> Iterator[Any]:
    """An empty bucket `photos`, where the environment says that it is."""
    s3fs = pytest.importorskip("s3fs", reason="in the extra annotate")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.s3_endpoint_url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    s3fs.S3FileSystem.clear_instance_cache()
    bucket = boto3.resource("s3").Bucket("photos")
    bucket.create()
    yield bucket
    bucket.objects.delete()
    bucket.meta.client.close()
    s3fs.S3FileSystem.clear_instance_cache()


def put(bucket, **files) -> None:
    for name, data in files.items():
        bucket.put_object(Key=name, Body=data)


def test_prefix_is_a_folder(bucket):
    names = [
        "in/b.JPG",
        "in/a/z.png",
        "in/a.webp",
        "in/é 1.png",
        "in/n.txt",
        "in/.h/x.png",
        "in2.png",
    ]
    put(bucket, **{name: name.encode() for name in names}, **{"in/": b"", "in/e.png": b""})
    for spec in ("s3://photos/in", "s3://photos/in/"):
        rows = list(open_source(spec, IMAGES))
        assert [row.id for row in rows] == ["a.webp", "a/z.png", "b.JPG", "e.png", "é 1.png"]
        assert rows[1] == SourceRow("a/z.png", {"images": b"in/a/z.png"}, "s3://photos/in/a/z.png")
        assert rows[3] == UnreadableRow("e.png", "the file is empty", "s3://photos/in/e.png")
    assert [row.id for row in open_source("s3://photos", IMAGES)][-1] == "in2.png"
    assert [row.id for row in open_source("s3://photos/in/*/*.png", IMAGES)] == ["a/z.png"]
    assert [row.id for row in open_source("s3://photos/in2.png", IMAGES)] == ["in2.png"]


def test_listing_goes_on_page_after_page(bucket, monkeypatch):
    put(bucket, **{f"in/{n:02}.png": b"x" for n in range(25)})
    opened: tuple[Any, str] = open_url("s3://photos/in")
    files, pages = opened[0], []
    call_s3 = files._fs.call_s3

    def page(method, **asked):
        pages.append(asked)
        return call_s3(method, **asked, MaxKeys=10)

    monkeypatch.setattr(files._fs, "call_s3", page)
    assert list(files.keys("photos/in") or ()) == [f"{n:02}.png" for n in range(25)]
    assert len(pages) == 3
    assert [row.id for row in open_source("s3://photos/in", IMAGES)] == [
        f"{n:02}.png" for n in range(25)
    ]


def test_tables(bucket, tmp_path):
    pq.write_table(pa.table({"text": ["a", "b"]}), tmp_path / "a.parquet")
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as file:
        table = pa.table({"text": ["a", "b"]})
        with pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
    put(
        bucket,
        **{
            "t/a.parquet": (tmp_path / "a.parquet").read_bytes(),
            "t/a.arrow": (tmp_path / "a.arrow").read_bytes(),
            "t/a.csv": b"text\r\na\r\nb\r\n",
            "t/a.jsonl": b'{"text":"a"}\n{"text":"b"}\n',
            "t/a.jsonl.gz": gzip.compress(b'{"text":"a"}\n{"text":"b"}\n'),
            "set/state.json": json.dumps({"_data_files": [{"filename": "d.arrow"}]}).encode(),
            "set/d.arrow": (tmp_path / "a.arrow").read_bytes(),
        },
    )
    expected = [SourceRow("0", {"texts": "a"}), SourceRow("1", {"texts": "b"})]
    for name in ("t/a.parquet", "t/a.arrow", "t/a.csv", "t/a.jsonl", "t/a.jsonl.gz", "set"):
        assert list(open_source(f"s3://photos/{name}", TEXTS)) == expected
    assert open_source("s3://photos/t/a.parquet", TEXTS).count() == 2
    assert len(list(open_source("s3://photos/t/*.jsonl", TEXTS))) == 2


def test_paths_in_tables_are_seen_from_the_table(bucket, tmp_path):
    rows = [{"file_name": name} for name in ("p/1.png", "s3://photos/t/p/2.png", "p/gone.png")]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    put(bucket, **{"t/a.jsonl": lines.encode(), "t/p/1.png": b"1", "t/p/2.png": b"2"})
    one, two = {"images": b"1"}, {"images": b"2"}
    gone = UnreadableRow("2", "there is no such file", "s3://photos/t/p/gone.png")
    assert list(open_source("s3://photos/t/a.jsonl", IMAGES)) == [
        SourceRow("0", one, "s3://photos/t/p/1.png"),
        SourceRow("1", two, "s3://photos/t/p/2.png"),
        gone,
    ]
    (tmp_path / "here.lst").write_text("s3://photos/t/p/2.png\n")
    assert list(open_source(str(tmp_path / "here.lst"), IMAGES)) == [
        SourceRow("s3://photos/t/p/2.png", two, "s3://photos/t/p/2.png")
    ]
    put(bucket, **{"t/a.lst": b"p/1.png\n"})
    assert [row.values for row in open_source("s3://photos/t/a.lst", IMAGES)] == [one]


def test_shards(bucket, tmp_path):
    pack(tmp_path / "s.tar", ("1.png", PNG), ("2.png", PNG))
    data = (tmp_path / "s.tar").read_bytes()
    put(bucket, **{"s-0.tar": data, "s-1.tar": data[:1500]})
    rows = list(open_source("s3://photos/s-{0..1}.tar", IMAGES))
    assert [row.id for row in rows] == ["s-0/1", "s-0/2", "s-1.tar#rest"]
    assert rows[0].path == "s3://photos/s-0.tar/1.png"


@pytest.mark.parametrize("name", ["none", "none/a.parquet", "none/*.png", "none-{0..2}.tar"])
def test_what_is_not_there_is_told_at_once(bucket, name):
    with pytest.raises(InvalidRequest, match="there is no such file or folder"):
        open_source(f"s3://photos/{name}", IMAGES)


def test_bucket_that_is_not_there_is_told_at_once(bucket):
    with pytest.raises(InvalidRequest, match="s3://nobodys/x"):
        open_source("s3://nobodys/x", IMAGES)


def test_server_that_is_away_is_no_row_of_its_own(bucket, monkeypatch):
    put(bucket, **{"in/1.png": b"1"})
    rows = open_source("s3://photos/in", IMAGES)
    monkeypatch.setattr(remote, "_PAUSES_S", (0.0, 0.0))
    tries = []

    def away(path: str) -> bytes:
        tries.append(path)
        raise ConnectionError("refused")

    monkeypatch.setattr(rows._files._fs, "cat_file", away)
    with pytest.raises(Unavailable, match="s3://photos/in/1.png: refused"):
        list(rows)
    assert len(tries) == 3


# --- any other ---


def test_place_that_never_answered_is_told_at_once(monkeypatch):
    tries = []

    def refuse(fs, path):
        tries.append(path)
        raise RuntimeError("no credentials")

    monkeypatch.setattr(type(fsspec.filesystem("memory")), "info", refuse)
    with pytest.raises(Unavailable, match="memory:///x: no credentials"):
        open_source("memory://x", IMAGES)
    assert len(tries) == 1


def test_other_places_are_walked_folder_by_folder():
    memory = fsspec.filesystem("memory")
    for name in ("b.png", "a/c.png", "a.png", "a/.h.png"):
        memory.pipe_file(f"/walked/{name}", name.encode())
    try:
        source = open_source("memory://walked", IMAGES)
        assert [(row.id, row.values["images"]) for row in source] == [
            *(("a.png", b"a.png"), ("a/c.png", b"a/c.png"), ("b.png", b"b.png"))
        ]
    finally:
        memory.rm("/walked", recursive=True)


def test_many_are_read_at_a_time_and_given_in_order(monkeypatch):
    together = threading.Barrier(RemoteFiles.threads, timeout=20)
    memory = fsspec.filesystem("memory")
    for n in range(RemoteFiles.threads):
        memory.pipe_file(f"/many/{n:02}.png", b"%d" % n)
    cat_file = type(memory).cat_file

    def meet(self, path, *args, **options):
        together.wait()  # all of them, or none
        return cat_file(self, path, *args, **options)

    monkeypatch.setattr(type(memory), "cat_file", meet)
    try:
        rows = list(open_source("memory://many", IMAGES))
        assert [row.id for row in rows] == [f"{n:02}.png" for n in range(RemoteFiles.threads)]
    finally:
        memory.rm("/many", recursive=True)


def test_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(InvalidRequest, match=r"fsspec is not installed: pip install 'wherry\[ann"):
        open_source("s3://photos/in", IMAGES)


def test_read_that_fails_for_a_moment_goes_on(monkeypatch):
    memory = fsspec.filesystem("memory")
    lines = b"".join(b'{"text": "%d"}\n' % n for n in range(150_000))
    memory.pipe_file("/moment/a.jsonl", lines)
    opened = type(memory)._open
    failures: list[int] = []

    def shaky(self, *args, **options):
        file = opened(self, *args, **options)
        read = file.read

        def fail_once(size):
            if file.tell() and len(failures) < 2:
                failures.append(file.tell())
                raise RuntimeError("a file system's own network error")
            return read(size)

        monkeypatch.setattr(file, "read", fail_once)
        return file

    monkeypatch.setattr(remote, "_PAUSES_S", (0.0, 0.0))
    monkeypatch.setattr(type(memory), "_open", shaky)
    try:
        assert sum(1 for _ in open_source("memory://moment/a.jsonl", TEXTS)) == 150_000
        assert len(failures) == 2
    finally:
        memory.rm("/moment", recursive=True)
