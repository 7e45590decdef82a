"""Suffixes are hints: where a name says nothing, the first bytes do."""

from __future__ import annotations

import errno
import io
from pathlib import Path

import pytest
from PIL import Image

from wherry.client.annotate.rows import UnreadableRow
from wherry.client.annotate.sources import local_files
from wherry.protocol.errors import InvalidRequest
from wherry.tasks.media.size import FORMATS
from wherry.tasks.registry import get_task

from .opened import open_source

PICTURES, SOUNDS = get_task("object-detection"), get_task("automatic-speech-recognition")
WAV = (
    b"RIFF\x2c\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x80\x3e\0\0\0\x7d\0\0\2\0\x10\0data\x08\0\0\0"
    + bytes(8)
)
#: Kinds whose first bytes may be anything's.
WEAK = {"ICO", "PPM"}


def picture(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 24), (9, 99, 199)).save(file, kind)
    return file.getvalue()


def folder(tmp_path: Path, **files: bytes) -> Path:
    for name, data in files.items():
        (tmp_path / name.replace("__", ".")).write_bytes(data)
    return tmp_path


def ids(source) -> list[str]:
    return [row.id for row in source]


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind not in WEAK])
def test_a_picture_without_a_telling_suffix_is_a_row(tmp_path: Path, kind: str) -> None:
    data = picture(kind)
    there = folder(tmp_path, a=data, b__dat=data, c__jpg__bak=data)
    source = open_source(str(there), PICTURES)
    assert ids(source) == ["a", "b.dat", "c.jpg.bak"]
    assert source.count() == 3
    assert not source.left_out


def test_a_file_that_breaks_as_it_is_read_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Breaking(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    there = folder(tmp_path, a__dat=picture("PNG"), b__png=picture("PNG"))
    monkeypatch.setattr(local_files.LocalFiles, "open", lambda *_: Breaking())
    source = open_source(str(there), PICTURES)
    (row,) = source
    assert isinstance(row, UnreadableRow)
    assert (row.id, row.reason, source.left_out) == ("b.png", "input/output error", {".dat": 1})


def test_what_is_none_is_left_out_and_counted(tmp_path: Path) -> None:
    jpeg = picture("JPEG")
    there = folder(
        *(tmp_path,),
        ok__jpg=jpeg,
        README=b"BMW is a maker of cars",
        empty=b"",
        sound=WAV,
        # Names that tell are believed, whatever they hold.
        notes__json=jpeg,
        film__mp4=jpeg,
        list__txt=jpeg,
    )
    source = open_source(str(there), PICTURES)
    assert ids(source) == ["ok.jpg"]
    assert source.left_out == {"": 3, ".json": 1, ".mp4": 1, ".txt": 1}


def test_a_sound_without_a_suffix_is_a_row(tmp_path: Path) -> None:
    there = folder(tmp_path, speech=WAV, picture=picture("PNG"), words=b"hello")
    source = open_source(str(there), SOUNDS)
    assert ids(source) == ["speech"]
    assert source.left_out == {"": 2}


def test_one_file_may_be_named_alone(tmp_path: Path) -> None:
    there = folder(tmp_path, IMG_1=picture("PNG"), words=b"hello")
    assert ids(open_source(str(there / "IMG_1"), PICTURES)) == ["IMG_1"]
    with pytest.raises(InvalidRequest, match=r"is no image file by its name or its first bytes"):
        open_source(str(there / "words"), PICTURES)


def test_a_link_to_nothing_without_a_suffix_is_left_out(tmp_path: Path) -> None:
    there = folder(tmp_path, ok__png=picture("PNG"))
    (there / "nothing").symlink_to(there / "away")
    source = open_source(str(there), PICTURES)
    assert ids(source) == ["ok.png"]
    assert source.left_out == {"": 1}
