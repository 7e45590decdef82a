"""Forms, as every surface that takes them reads them."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.api.http.multipart import read_form
from wherry.protocol.errors import InvalidRequest

TYPE = "multipart/form-data; boundary=x"
HEAD = b'Content-Disposition: form-data; name="a"'
PART = b"--x\r\n" + HEAD + b"\r\n\r\nb\r\n"


@pytest.mark.parametrize(
    ("body", "content_type", "says"),
    [
        (b"", "multipart/form-data", "boundary"),
        (b"", TYPE, "incomplete"),
        (b"--x\r\n\r\n", TYPE, "incomplete"),
        (b"nonsense", TYPE, "incomplete"),
        (PART, TYPE, "incomplete"),
        (b"--x\r\nA: b\r\n\r\nc\r\n--x--", TYPE, "without a name"),
        (b"--x\r\n" + HEAD + b"\r\n--x--", TYPE, "without a name"),
        (b"--x\r\nA: " + b"b" * 8192 + b"\r\n" + HEAD + b"\r\n\r\nc\r\n--x--", TYPE, "name"),
        (PART * 4097 + b"--x--", TYPE, "over 4096 parts"),
    ],
)
def test_a_broken_form_is_refused(body: bytes, content_type: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        read_form(body, content_type)


@given(files=st.lists(st.binary(max_size=50), min_size=1, max_size=4))
def test_a_form_keeps_every_byte(files: list[bytes]) -> None:
    request = httpx.Request(
        "POST", "http://x", files=[("frames", (f"{i}", file)) for i, file in enumerate(files)]
    )
    request.read()
    assert read_form(request.content, request.headers["content-type"]) == {"frames": files}


def test_what_comes_before_and_after_a_form_is_left_out() -> None:
    assert read_form(b"before\r\n" + PART + b"--x--after", TYPE) == {"a": [b"b"]}
    assert len(read_form(PART * 4096 + b"--x--", TYPE)["a"]) == 4096
