from __future__ import annotations

import base64
import os

import pytest

from wherry.api.egress.named_files import NO_FILES
from wherry.api.http.media import read_media
from wherry.protocol.base64_text import _PIECE
from wherry.protocol.errors import InvalidRequest


@pytest.mark.parametrize(
    "text", ["aGk=", "data:image/png;base64,aGk=", "DATA:;base64,aGk=", "data:a/b;c=d;base64,aGk="]
)
def test_a_file_comes_plain_or_as_a_data_uri(text: str) -> None:
    assert read_media(text, "image", NO_FILES) == b"hi"


@pytest.mark.parametrize(
    "text", ["aGk", "aG k=", "aGk=\n", " aG\r\nk=", "\ndata:image/png;base64,\taGk\n"]
)
def test_blanks_line_breaks_and_missing_padding_change_nothing(text: str) -> None:
    assert read_media(text, "image", NO_FILES) == b"hi"


def test_a_file_of_several_pieces_may_be_in_lines() -> None:
    file = os.urandom(_PIECE * 2 + 1)
    assert read_media(base64.encodebytes(file).decode(), "image", NO_FILES) == file


@pytest.mark.parametrize("start", ["", "data:image/png;base64,"])
@pytest.mark.parametrize("size", [_PIECE * 3 // 4, _PIECE * 2 + 1])
def test_a_file_of_several_pieces_keeps_every_byte(start: str, size: int) -> None:
    file = os.urandom(size)
    assert read_media(start + base64.b64encode(file).decode(), "image", NO_FILES) == file


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("https://example.org/a.png", "image: URLs are not fetched"),
        ("file:///etc/passwd", "image: URLs are not fetched"),
        ("/etc/passwd?", "image: not base64"),
        ("aGk=aGk=", "image: not base64"),
        ("a", "image: not base64"),
        ("data:image/png,hi", "image: not base64"),
        ("größe", "image: not base64"),
        pytest.param("A" * (_PIECE - 2) + "==AAAA", "image: not base64", id="padding amid"),
        (7, "image: expected base64 text, got an integer"),
    ],
)
def test_anything_else_names_the_field(text: object, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        read_media(text, "image", NO_FILES)
