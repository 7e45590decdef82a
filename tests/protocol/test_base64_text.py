from __future__ import annotations

import base64
import os

import pytest

from wherry.protocol.base64_text import _PIECE, decoded
from wherry.protocol.elements import blob_of
from wherry.protocol.errors import InvalidTensor


@pytest.mark.parametrize("text", ["aGk=", "aGk", "aG k=", "aGk=\n", " aG\r\nk=", "\taGk"])
def test_blanks_line_breaks_and_missing_padding_change_nothing(text: str) -> None:
    assert decoded(text) == b"hi"
    assert decoded(f"data:;base64,{text}", 13) == b"hi"
    assert blob_of(text, name="image") == b"hi"


@pytest.mark.parametrize("size", [0, 1, _PIECE * 3 // 4, _PIECE * 2 + 1])
def test_a_file_of_several_pieces_keeps_every_byte(size: int) -> None:
    file = os.urandom(size)
    assert decoded(base64.b64encode(file).decode()) == file
    assert decoded(base64.encodebytes(file).decode()) == file
    assert decoded(base64.b64encode(file).decode().rstrip("=")) == file


@pytest.mark.parametrize("text", ["a", "aGk=aGk=", "aG*k", "größe", "=", "a-_b"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # binascii's own
        decoded(text)
    with pytest.raises(InvalidTensor, match="not base64"):
        blob_of(text, name="image")
