"""Archives as folders, made by zipfile, tarfile and the tools that people have."""

from __future__ import annotations

import io
import os
import shutil
import stat
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wherry.client.annotate.rows import SourceRow, UnreadableRow
from wherry.client.annotate.sources import refuse_overlap
from wherry.client.errors import UsageError
from wherry.protocol.errors import InvalidRequest
from wherry.tasks.media.archives import members, zips
from wherry.tasks.registry import get_task

from .opened import open_source

IMAGES = get_task("image-classification")
TEXTS = get_task("text-classification")

PHOTOS = {"b.JPG": b"b", "a/z.png": b"az", "a.webp": b"a", "é 1.png": b"e", "n.txt": b"n"}


def zipped(path: Path, files: dict[str, bytes], **how: object) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            for field, value in how.items():
                setattr(info, field, value)
            archive.writestr(info, data)
    return path


def tarred(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload] # any mode
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def ids(spec: object, task=IMAGES) -> list[str]:
    return [row.id for row in open_source(str(spec), task)]


@pytest.mark.parametrize("kind", ["zip", "tar/", "tgz/", "tar.xz/"])
def test_an_archive_is_the_folder_that_was_packed(tmp_path, kind):
    path = tmp_path / f"p.{kind.rstrip('/')}"
    if kind == "zip":
        zipped(path, PHOTOS)
    else:
        tarred(path, PHOTOS, {"tar/": "w", "tgz/": "w:gz", "tar.xz/": "w:xz"}[kind])
    folder = tmp_path / "p"
    for name, data in PHOTOS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    spec = str(path) + ("/" if kind != "zip" else "")
    source = open_source(spec, IMAGES)
    rows = list(source)
    assert [row.id for row in rows] == ids(folder)
    assert rows[1] == SourceRow("a/z.png", {"images": b"az"}, f"{path}/a/z.png")
    assert source.left_out == {".txt": 1}
    assert source.count() == len(rows) == 4
    assert list(source.files()) == [str(path)]


def test_a_path_leads_into_an_archive(tmp_path):
    path = zipped(tmp_path / "p.zip", {**PHOTOS, "a/deep/y.png": b"y", "list.lst": b"a/z.png\n"})
    assert ids(f"{path}/a") == ["deep/y.png", "z.png"]
    assert ids(f"{path}/a/*.png") == ["z.png"]
    assert ids(f"{path}/**/*.png") == ["a/deep/y.png", "a/z.png", "é 1.png"]
    assert ids(f"{path}/b.JPG") == ["b.JPG"]
    assert ids(f"{path}/list.lst") == ids(f"@{path}/list.lst") == ["a/z.png"]
    with pytest.raises(InvalidRequest, match="no such file or folder"):
        open_source(f"{path}/c", IMAGES)


def test_what_is_there_under_the_very_name_comes_first(tmp_path):
    folder = tmp_path / "p.zip"
    folder.mkdir()
    (folder / "x.png").write_bytes(b"x")
    assert ids(folder) == ids(f"{folder}/") == ["x.png"]
    assert ids(f"{folder}/x.png") == ["x.png"]


def test_a_tar_that_is_named_alone_is_a_shard(tmp_path):
    path = tarred(tmp_path / "p.tar", {"a.jpg": b"a", "b.jpg": b"b"})
    assert ids(path) == ["a", "b"]
    assert ids(f"{path}/") == ["a.jpg", "b.jpg"]


def test_tables_in_an_archive(tmp_path):
    table = pa.BufferOutputStream()
    pq.write_table(pa.table({"text": [f"t{n}" for n in range(5000)]}), table)
    files = {
        "t/a.parquet": table.getvalue().to_pybytes(),
        "t/a.csv": b"text\r\nx\r\ny\r\n",
        "t/b.csv": b"text\r\nz\r\n",
        "t/p.csv": b"file_name\r\np/1.png\r\n../t/p/1.png\r\np/gone.png\r\n/etc/passwd\r\n",
        "t/p/1.png": b"one",
    }
    for path, spec in (
        (zipped(tmp_path / "t.zip", files), "t.zip"),
        (tarred(tmp_path / "t.tar", files), "t.tar"),
    ):
        assert len(list(open_source(f"{path}/t/a.parquet", TEXTS))) == 5000, spec
        assert open_source(f"{path}/t/a.parquet", TEXTS).count() == 5000
        assert [row.values["texts"] for row in open_source(f"{path}/t/[ab].csv", TEXTS)] == [
            *("x", "y", "z")
        ]
        good, also, gone, out = open_source(f"{path}/t/p.csv", IMAGES)
        assert good.values == also.values == {"images": b"one"}
        assert isinstance(gone, UnreadableRow)
        assert isinstance(out, UnreadableRow)
        assert out.reason == "there is no such file"


def test_what_macos_adds_is_left_out_and_told(tmp_path):
    files = {"p/a.png": b"a", "__MACOSX/p/._a.png": b"x", "__MACOSX/._p": b"x", "p/.DS_Store": b"x"}
    for spec in (zipped(tmp_path / "p.zip", files), f"{tarred(tmp_path / 'p.tar', files)}/"):
        source = open_source(str(spec), IMAGES)
        assert [row.id for row in source] == ["p/a.png"]
        assert source.left_out == {"__MACOSX": 2}


@pytest.mark.parametrize(
    "name",
    ["../x.png", "a/../../x.png", "/etc/x.png", "C:/x.png", "C:\\x.png", "..\\x.png", "//host/x"],
)
def test_a_name_that_leads_out_is_refused(tmp_path, name):
    # Of Windows, where a backslash parts names.
    path = zipped(tmp_path / "p.zip", {"a.png": b"a", name: b"x"}, create_system=0)
    with pytest.raises(InvalidRequest, match="leads out of it"):
        open_source(str(path), IMAGES)
    if "\\" not in name:
        with pytest.raises(InvalidRequest, match="leads out of it"):
            open_source(f"{tarred(tmp_path / 'p.tar', {name: b'x'})}/", IMAGES)


def test_names_as_windows_and_macos_write_them(tmp_path):
    path = zipped(tmp_path / "w.zip", {"a\\b.png": b"x"}, create_system=0)
    assert ids(path) == ["a/b.png"]
    # UTF-8 that is not said to be, and a name in the standard's own letters.
    raw = zipped(tmp_path / "m.zip", {"XX.png": b"x", "YY.png": b"y"}).read_bytes()
    raw = raw.replace(b"XX.png", "é.png".encode()).replace(b"YY.png", b"\x82\x82.png"[:6])
    (tmp_path / "m.zip").write_bytes(raw)
    assert ids(tmp_path / "m.zip") == ["é.png", "éé.png"]


def test_of_two_members_of_one_name_the_later_counts(tmp_path):
    path = tarred(tmp_path / "p.tar", {"a.png": b"old"})
    with tarfile.open(path, "a") as archive:
        info = tarfile.TarInfo("./a.png")
        info.size = 3
        archive.addfile(info, io.BytesIO(b"new"))
    source = open_source(f"{path}/", IMAGES)
    assert [row.values["images"] for row in source] == [b"new"]
    assert source.left_out == {"earlier members of the same name": 1}


def test_links_are_told_and_hard_ones_followed(tmp_path):
    with tarfile.open(tmp_path / "p.tar", "w") as archive:
        info = tarfile.TarInfo("a.png")
        info.size = 1
        archive.addfile(info, io.BytesIO(b"a"))
        for name, kind, target in (
            ("b.png", tarfile.LNKTYPE, "a.png"),
            ("c.png", tarfile.SYMTYPE, "/etc/passwd"),
            ("d.png", tarfile.LNKTYPE, "gone.png"),
            ("e.png", tarfile.FIFOTYPE, ""),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
    source = open_source(f"{tmp_path / 'p.tar'}/", IMAGES)
    a, b, c, d = source
    assert a.values == b.values == {"images": b"a"}
    assert "is a link" in c.reason
    assert "not in the archive" in d.reason
    assert source.left_out == {"devices and pipes": 1}
    link = stat.S_IFLNK << 16 | 0o777 << 16
    path = zipped(
        tmp_path / "p.zip", {"l.png": b"/etc/passwd"}, external_attr=link, create_system=3
    )
    [row] = open_source(str(path), IMAGES)
    assert "is a link" in row.reason


def test_damage_is_the_row_s_own(tmp_path):
    path = zipped(tmp_path / "p.zip", {"a.png": os.urandom(100), "b.png": os.urandom(100)})
    raw = bytearray(path.read_bytes())
    at = raw.index(b"a.png") + 40
    raw[at : at + 10] = bytes(10)
    path.write_bytes(raw)
    bad, good = open_source(str(path), IMAGES)
    assert isinstance(bad, UnreadableRow)
    assert isinstance(good, SourceRow)


@pytest.mark.parametrize("cut", [10, 100, -10])
def test_an_archive_that_breaks_off_is_refused(tmp_path, cut):
    files = {f"{n}.png": os.urandom(600) for n in range(9)}
    for path, slash in (
        (zipped(tmp_path / "p.zip", files), ""),
        (tarred(tmp_path / "p.tar", files), "/"),
    ):
        cut_at = cut if cut > 0 or not slash else 3000
        path.write_bytes(path.read_bytes()[:cut_at])
        with pytest.raises(InvalidRequest, match=r"p\.(zip|tar)"):
            list(open_source(f"{path}{slash}", IMAGES))


def test_an_encrypted_member_is_the_row_s_own_fault(tmp_path):
    path = zipped(tmp_path / "p.zip", {"a.png": b"x"})
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"PK\x03\x04") + 6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(raw)
    [row] = open_source(str(path), IMAGES)
    assert row.reason == "it is encrypted: pack it without a password"


def test_what_would_fill_memory_or_disk_is_refused(tmp_path, monkeypatch):
    bomb = {"a.png": bytes(3_000_000)}
    monkeypatch.setattr(zips, "_FREE_BYTES", 1000)
    [row] = open_source(str(zipped(tmp_path / "one.zip", bomb)), IMAGES)
    assert "would unpack to 3,000,000" in row.reason
    monkeypatch.setattr(members, "FREE_BYTES", 1000)
    with pytest.raises(InvalidRequest, match="over 100 times as many"):
        open_source(str(zipped(tmp_path / "all.zip", bomb)), IMAGES)
    monkeypatch.setattr("wherry.tasks.media.archives.tars.FREE_BYTES", 1000)
    with pytest.raises(InvalidRequest, match="would unpack to over"):
        open_source(f"{tarred(tmp_path / 'p.tgz', bomb, 'w:gz')}/", IMAGES)
    monkeypatch.setattr(zips, "_LIST_BYTES", 100)
    many = zipped(tmp_path / "many.zip", {f"{n}.png": b"x" for n in range(50)})
    with pytest.raises(InvalidRequest, match="its list of members"):
        open_source(str(many), IMAGES)
    monkeypatch.setattr(zips, "_LIST_BYTES", 100_000)
    monkeypatch.setattr(members, "MOST_FILES", 20)
    with pytest.raises(InvalidRequest, match="over 20 files"):
        open_source(str(many), IMAGES)


def test_a_member_does_not_outgrow_what_is_declared(tmp_path):
    """A list that lies about a size gives no more bytes than it says."""
    path = zipped(tmp_path / "p.zip", {"a.png": bytes(1_000_000)})
    raw = path.read_bytes().replace((1_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(raw)
    [row] = open_source(str(path), IMAGES)
    assert isinstance(row, UnreadableRow)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "p.zip").write_bytes(content)
    with pytest.raises(InvalidRequest, match=r"p\.zip"):
        open_source(str(tmp_path / "p.zip"), IMAGES)


def test_out_may_not_be_the_archive(tmp_path):
    path = zipped(tmp_path / "p.zip", PHOTOS)
    with pytest.raises(UsageError, match="is the source"):
        refuse_overlap(str(path), path, (), is_folder=False)
    with pytest.raises(UsageError, match="is the source"):
        refuse_overlap(f"{path}/a", path, (), is_folder=False)
    refuse_overlap(str(path), tmp_path / "out.jsonl", (), is_folder=False)


@pytest.mark.skipif(shutil.which("zip") is None, reason="Info-ZIP is not here")
def test_what_info_zip_packs_is_read(tmp_path):
    folder = tmp_path / "in"
    for name, data in PHOTOS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data * 100)
    subprocess.run(["zip", "-qr", "../p.zip", "."], cwd=folder, check=True)
    assert ids(tmp_path / "p.zip") == ids(folder)


@pytest.mark.skipif(shutil.which("tar") is None, reason="tar is not here")
@pytest.mark.parametrize("form", ["gnu", "pax", "ustar"])
def test_what_tar_packs_is_read(tmp_path, form):
    folder = tmp_path / "in"
    long = "/".join(["d" * 40] * 3) + "/x.png"
    for name, data in {**PHOTOS, long: b"x"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data * 100)
    os.link(folder / "b.JPG", folder / "c.jpg")
    subprocess.run(
        ["tar", f"--format={form}", "-cf", str(tmp_path / "p.tar"), "-C", str(folder), "."],
        check=True,
    )
    rows = list(open_source(f"{tmp_path / 'p.tar'}/", IMAGES))
    assert [(row.id, row.values) for row in rows] == [
        (row.id, row.values) for row in open_source(str(folder), IMAGES)
    ]
