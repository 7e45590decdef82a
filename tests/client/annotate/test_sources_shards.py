"""WebDataset shards, by webdataset's own writer and by tarfile."""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
import tracemalloc

import pytest

from wherry.client.annotate.rows import SourceRow, UnreadableRow
from wherry.client.annotate.sources import Columns
from wherry.protocol.errors import InvalidRequest
from wherry.tasks.registry import get_task
from wherry.tasks.samples import PNG, WAV

from .opened import open_source

IMAGES = get_task("image-classification")
TEXTS = get_task("text-classification")
QUESTIONS = get_task("document-question-answering")


def pack(path, *members, mode="w"):
    """A tar of (name, bytes); None makes a link."""
    with tarfile.open(path, mode) as archive:
        for name, data in members:
            member = tarfile.TarInfo(name)
            if data is None:
                member.type, member.linkname = tarfile.LNKTYPE, "elsewhere"
                archive.addfile(member)
            else:
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return str(path)


def test_shards_of_webdatasets_writer(tmp_path):
    webdataset = pytest.importorskip("webdataset", reason="in the test group")
    with webdataset.ShardWriter(f"file:{tmp_path}/s-%03d.tar", maxcount=3, verbose=0) as writer:
        for n in range(7):
            writer.write({"__key__": f"k{n}", "png": PNG, "json": {"question": f"q{n}"}})
    rows = list(open_source(f"{tmp_path}/s-{{000..002}}.tar", QUESTIONS))
    assert [row.id for row in rows] == [
        *("s-000/k0", "s-000/k1", "s-000/k2", "s-001/k3", "s-001/k4", "s-001/k5", "s-002/k6")
    ]
    assert rows[4] == SourceRow(
        "s-001/k4", {"images": PNG, "questions": "q4"}, f"{tmp_path}/s-001.tar/k4.png"
    )
    assert list(open_source(f"{tmp_path}/*.tar", QUESTIONS)) == rows


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.tar", "w"),
        ("a.tar.gz", "w:gz"),
        ("a.tgz", "w:gz"),
        ("a.tar.bz2", "w:bz2"),
        ("a.tar.xz", "w:xz"),
    ],
)
def test_one_shard_however_packed(tmp_path, name, mode):
    path = pack(
        tmp_path / name, ("in/1.txt", b"\xef\xbb\xbfone\r\n"), ("in/2.txt", b"two"), mode=mode
    )
    source = open_source(path, TEXTS)
    assert list(source) == [
        SourceRow("in/1", {"texts": "one"}, f"{path}/in/1"),
        SourceRow("in/2", {"texts": "two"}, f"{path}/in/2"),
    ]
    assert list(source) == list(source)
    assert source.count() is None


def test_plain_tar_of_a_folder(tmp_path):
    path = pack(
        tmp_path / "a.tar",
        ("./x/README.md", b"no row"),
        ("./x/about.json", b'{"made": 2026}'),
        ("./x/._a.jpg", b"no row"),
        ("./x/a.JPG", PNG),
        ("./x/b.2024.png", PNG),
        ("./x/c.1.png", PNG),
        ("./x/c.2.png", PNG),
        ("./x/.hidden/d.png", PNG),
        ("./x/é.png", PNG),
    )
    rows = list(open_source(path, IMAGES))
    assert [row.id for row in rows] == ["x/a", "x/b", "x/c", "x/é"]
    assert rows[0].path == f"{path}/x/a.JPG"
    assert rows[1].path == f"{path}/x/b.2024.png"
    assert isinstance(rows[2], UnreadableRow)  # which of them?
    assert "the columns are __key__, 1.png, 2.png" in rows[2].reason


def test_members_of_no_row_are_counted(tmp_path):
    path = pack(
        tmp_path / "a.tar",
        ("README", b"no row"),
        ("1.cls", b"of a row"),
        ("1.png", PNG),
        ("1.txt", b"of a row"),
        ("2.psd", b"x"),
        ("2.cls", b"x"),
        ("3.psd", b"x"),
        ("about.json", b"{}"),
        (".x.psd", b"hidden"),
        ("4.png", PNG),
        ("5.psd", b"x"),
    )
    source = open_source(path, IMAGES)
    for _ in range(2):
        assert [row.id for row in source] == ["1", "4"]
        assert source.left_out == {"": 1, ".psd": 3, ".cls": 1, ".json": 1}


def test_columns_and_ids_of_members(tmp_path):
    path = pack(
        tmp_path / "a.tar",
        ("1.left.png", b"left"),
        ("1.right.png", b"right"),
        (
            "1.json",
            json.dumps({"name": "first", "question": "q", "id": "no", "left.png": "no"}).encode(),
        ),
    )
    columns = Columns(id="name", fields={"images": "right.png"})
    (row,) = open_source(path, QUESTIONS, columns)
    assert (row.id, row.values) == ("first", {"images": b"right", "questions": "q"})
    columns = Columns(fields={"images": "left.png"})
    (row,) = open_source(path, QUESTIONS, columns)
    assert (row.id, row.path) == ("1", f"{path}/1.left.png")


def test_rows_at_fault(tmp_path):
    path = pack(
        tmp_path / "a.tar",
        ("1.png", b""),
        ("2.png", None),
        ("3.png", PNG),
        ("3.png", PNG),
        ("4.txt", b"q"),
        ("5.png", PNG),
        ("5.json", b"nonsense"),
        ("6.png", PNG),
        ("6.txt", b"q\xff"),
        ("7.png", PNG),
        ("7.question", b"?"),
    )
    rows = list(open_source(path, QUESTIONS, Columns(fields={"questions": "question"})))
    told = {row.id: getattr(row, "reason", "") for row in rows}
    assert told["1"] == "there is no column 'question': the columns are __key__, png"
    assert told["3"] == "there are two members 3.png"
    assert told["7"] == ""
    rows = list(open_source(path, IMAGES))
    assert [(row.id, getattr(row, "reason", "")) for row in rows] == [
        ("1", "column 'png': the file is empty"),
        ("2", "column 'png': it is empty"),
        ("3", "there are two members 3.png"),
        ("5", ""),
        ("6", ""),
        ("7", ""),
    ]


def damaged(path, whole, how):
    at = whole.index(b"3.png")  # in the fourth header
    if how == "in a member":
        whole = whole[: at + 512 + 10]
    elif how == "in a header":
        whole = whole[: at + 100]
    elif how == "before a header":
        whole = whole[:at]
    elif how == "header overwritten":
        whole = whole[:at] + b"nonsense" + whole[at + 8 :]
    elif how == "packed":
        whole = gzip.compress(whole)
        whole = whole[: len(whole) * 3 // 4]
    path.write_bytes(whole)


@pytest.mark.parametrize(
    "how", ["in a member", "in a header", "before a header", "header overwritten", "packed"]
)
def test_rest_of_a_damaged_shard_is_one_row(tmp_path, how):
    noise = random.Random(1).randbytes  # gzip must not make it short
    pack(tmp_path / "a.tar", *((f"{n}.png", noise(600)) for n in range(6)))
    damaged(tmp_path / "b.tar", (tmp_path / "a.tar").read_bytes(), how)
    pack(tmp_path / "c.tar", ("9.png", PNG))
    rows = list(open_source(f"{tmp_path}/{{b,gone,c}}.tar", IMAGES))
    *good, broken, gone, last = rows
    if how != "packed":
        # The row before the damage: nobody knows whether more of it would follow.
        assert [row.id for row in good] == ["b/0", "b/1"]
    assert len(good) < 6
    assert isinstance(broken, UnreadableRow)
    assert (broken.id, broken.path) == ("b.tar#rest", f"{tmp_path}/b.tar")
    assert broken.reason.startswith("the rest of this shard cannot be read: ")
    assert isinstance(gone, UnreadableRow)
    assert gone.reason.endswith("there is no such file")
    assert last.id == "c/9"


def test_what_is_no_tar(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"nonsense" * 200)
    (row,) = open_source(f"{tmp_path}/a.tar", IMAGES)
    assert isinstance(row, UnreadableRow)
    with pytest.raises(InvalidRequest, match="there is no such file"):
        open_source(f"{tmp_path}/b.tar", IMAGES)
    pack(tmp_path / "a.tar")
    assert list(open_source(f"{tmp_path}/a.tar", IMAGES)) == []


def test_sounds(tmp_path):
    path = pack(tmp_path / "a.tar", ("1.cls", b"3"), ("1.wav", WAV))
    (row,) = open_source(path, get_task("automatic-speech-recognition"))
    assert row.values == {"audio": WAV}


def test_unneeded_members_are_not_read(tmp_path, monkeypatch):
    path = pack(tmp_path / "a.tar", ("1.mp4", b"film"), ("1.txt", b"one"), ("1.png", PNG))
    read = []
    extract = tarfile.TarFile.extractfile

    def note(archive, member):
        read.append(member.name)
        return extract(archive, member)

    monkeypatch.setattr(tarfile.TarFile, "extractfile", note)
    assert [row.values for row in open_source(path, TEXTS)] == [{"texts": "one"}]
    assert read == ["1.txt"]


def test_long_shard_takes_no_memory(tmp_path):
    path = pack(tmp_path / "a.tar", *((f"{n}.txt", b"x" * 1000) for n in range(3000)))
    held = []
    tracemalloc.start()
    try:
        for number, _ in enumerate(open_source(path, TEXTS)):
            if number % 300 == 150:
                held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert len(held) == 10
    assert max(held) - held[0] < 500_000  # headers alone would take 2.4 MB
