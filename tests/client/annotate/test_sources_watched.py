"""Folders that are watched: which files are rows, when one is whole, what another version is."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NoReturn

import pytest

from wherry.client.annotate.rows import SourceRow
from wherry.client.annotate.sources.base import Columns
from wherry.client.annotate.sources.choose import place_of
from wherry.client.annotate.sources.local_files import LocalFiles
from wherry.client.annotate.sources.sampling import USUAL, Sampling
from wherry.client.annotate.sources.walking import FoundFile
from wherry.client.annotate.sources.watched import WatchedFolder, open_watched, refuse_unwatched
from wherry.client.errors import UsageError
from wherry.protocol.errors import InvalidRequest, RowError
from wherry.tasks.registry import get_task
from wherry.tasks.samples import PNG

from .test_sources_archives import zipped

IMAGES = get_task("image-classification")


def watched(spec: str) -> WatchedFolder:
    return open_watched(spec, IMAGES, Columns(), USUAL, place_of)


def test_files_that_are_being_written_are_told_by_their_names(tmp_path: Path) -> None:
    names = [
        "a.png",
        "b.png.part",
        "c.tmp",
        ".d.png",
        "e.txt",
        "f~",
        "in/g.JPG",
        "plain",
        "h.crdownload",
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(PNG)
    (tmp_path / "other").write_bytes(b"no picture")
    folder = watched(str(tmp_path))
    found = [file.path for file in folder.watched()]
    assert found == ["a.png", "in/g.JPG", "other", "plain"]
    assert [path for path in found if folder.is_row(path)] == ["a.png", "in/g.JPG", "plain"]
    assert sum(folder.left_out.values()) == 5
    meant = watched(f"{tmp_path}/*.tmp")
    assert [file.path for file in meant.watched()] == ["c.tmp"], "a glob that names it means it"


def test_another_version_is_told_by_size_or_time_and_when_it_changed(tmp_path: Path) -> None:
    file, files = tmp_path / "a.png", LocalFiles()
    file.write_bytes(b"1")
    first = files.version(str(file))
    assert first is not None
    assert abs(first.changed_at - time.time()) < 60
    os.utime(file, (1, 1))
    touched = files.version(str(file))
    assert touched is not None
    assert touched.tag != first.tag
    assert touched.changed_at >= first.changed_at - 1, "what is dated back has changed all the same"
    os.utime(file, (2**33, 2**33))
    later = files.version(str(file))
    assert later is not None
    assert later.changed_at <= time.time(), "and what is dated ahead does not wait for that day"
    assert files.version(str(tmp_path / "none")) is None


def test_a_folder_may_be_empty_and_its_files_are_read_by_a_list(tmp_path: Path) -> None:
    folder = watched(str(tmp_path))
    assert list(folder.watched()) == []
    (tmp_path / "b.png").write_bytes(PNG)
    (tmp_path / "a.png").write_bytes(PNG)
    listed = folder.listed(lambda: [FoundFile("b.png", id="b.png@2"), FoundFile("gone.png")])
    rows = list(listed)
    assert [row.id for row in rows] == ["b.png@2", "gone.png"]
    assert isinstance(rows[0], SourceRow)
    assert rows[0].values == {"images": PNG}
    assert rows[0].path == str(tmp_path / "b.png")


def test_a_folder_that_cannot_be_listed_is_no_empty_one(tmp_path: Path) -> None:
    folder = watched(str(tmp_path / "gone"))
    with pytest.raises(RowError):
        list(folder.watched())


def test_what_has_other_rows_than_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a")
    (tmp_path / "rows.lance").mkdir()
    zipped(tmp_path / "in.zip", {"in/a.png": PNG})
    for spec, told in (
        ("rows.csv", "is a file"),
        ("in.zip", "archives and films are not"),
        ("in.zip/in", "is a file"),
        ("rows.lance", "tables, shards, archives and films are not"),
        ("rows.lance@1", "no such folder"),
        ("*.zip", "archives"),
        ("*.csv", "tables, shards, archives and films"),
        ("*.mp4", "tables, shards, archives and films"),
        ("{1..3}.png", "no such folder"),
        ("none", "no such folder"),
    ):
        with pytest.raises(InvalidRequest, match=told):
            refuse_unwatched(f"{tmp_path}/{spec}", place_of)
    with pytest.raises(InvalidRequest, match=r"on a disk or behind s3://"):
        refuse_unwatched("memory://in", place_of)
    refuse_unwatched(f"{tmp_path}/*.png", place_of)
    with pytest.raises(UsageError, match="follow"):
        open_watched(str(tmp_path), IMAGES, Columns(), Sampling(step=1), place_of)


@pytest.mark.parametrize(
    "spec",
    [
        "hf://datasets/acme/photos",
        "HF://datasets/acme/photos/*.png",
        "https://files.invalid/in",
        "http://files.invalid/in/*.png",
        "postgresql://db.invalid/shop",
        "sqlite:////data/rows.db",
    ],
)
def test_what_does_not_grow_by_files_is_refused_whether_it_answers_or_not(spec: str) -> None:
    def place(spec: str) -> NoReturn:
        raise AssertionError(f"{spec} is asked for")

    with pytest.raises(InvalidRequest, match=r"does not grow by files; follow: watches a folder"):
        open_watched(spec, IMAGES, Columns(), USUAL, place)
