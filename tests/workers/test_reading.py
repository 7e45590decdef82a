"""Requests of texts are read by what they have in common as they are read whole."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import pytest

from wherry.protocol import codec, v2
from wherry.protocol.datatypes import Datatype
from wherry.protocol.errors import WherryError
from wherry.protocol.parameters import remarks_on, row_errors
from wherry.tasks.base import TaskInput
from wherry.tasks.registry import get_task, task_names
from wherry.tasks.text.embedding import EmbeddingInput
from wherry.tasks.text.texts_alone import takes_texts_alone
from wherry.workers import reading

TASK = get_task("embedding")


@pytest.fixture(autouse=True)
def _unseen() -> Iterator[None]:
    reading._reader.cache_clear()
    yield
    reading._reader.cache_clear()


def stored(*texts: str, **parameters: Any) -> tuple[bytes, int]:
    request = EmbeddingInput(texts=list(texts)).to_inference_request()
    request.parameters.update(parameters)
    payload, length = codec.encode_request(request, binary=True)
    return payload, length or len(payload)


def whole(payload: bytes, length: int) -> list[TaskInput]:
    return TASK.input.from_inference_request(codec.decode_request(payload, length)).rows()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many requests are read whole, an entry each."""
    found: list[int] = []
    read = reading._Reader._read

    def counted(self: Any, payload: bytes, length: int) -> Any:
        found.append(length)
        return read(self, payload, length)

    monkeypatch.setattr(reading._Reader, "_read", counted)
    return found


def test_the_second_request_of_a_form_is_its_own_texts(reads: list[int]) -> None:
    for texts in (["one"], ["zwölf"], [""], ["a" * 70_000]):
        given = stored(*texts)
        read = reading.read(TASK, *given)
        assert list(read.rows) == whole(*given)
        assert (dict(read.refused), list(read.remarks)) == ({}, [])
    assert len(reads) == 1


def test_rows_and_parameters_are_a_form_each(reads: list[int]) -> None:
    for _ in range(2):
        for given in (
            stored("a"),
            stored("a", "b"),
            stored("a", normalize=False),
            stored("a", nonsense=1),
        ):
            read = reading.read(TASK, *given)
            assert list(read.rows) == whole(*given)
            assert ("nonsense" in "".join(read.remarks)) == (b"nonsense" in given[0])
    assert len(reads) == 4


@pytest.mark.parametrize("name", task_names())
def test_every_task_that_takes_texts_alone_reads_them_so(name: str, reads: list[int]) -> None:
    task = get_task(name)
    if not takes_texts_alone(task.input):
        request = task.example.input.to_inference_request()
        payload, length = codec.encode_request(request, binary=True)
        for _ in range(2):
            read = reading.read(task, payload, length or len(payload))
            assert list(read.rows) == task.example.input.rows()
        assert len(reads) == 2, "it is read whole each time"
        return
    for text in ("first", "another"):
        row = task.example.input.rows()[0].model_copy(update={"texts": [text]})
        payload, length = codec.encode_request(row.to_inference_request(), binary=True)
        assert list(reading.read(task, payload, length or len(payload)).rows) == [row]
    assert len(reads) == 1


def element(text: bytes) -> bytes:
    return struct.pack("<I", len(text)) + text


@pytest.mark.parametrize(
    "raw",
    [
        element(b"\xff"),
        element(b"a") + element(b"b"),
        b"",
        b"\1\0\0",
        struct.pack("<I", 9) + b"a",
        element(b"a") + b"\0",
    ],
    ids=["no UTF-8", "two", "none", "half a length", "a length that lies", "one byte more"],
)
def test_what_is_not_its_texts_is_read_whole(raw: bytes) -> None:
    payload, length = stored("a")
    reading.read(TASK, payload, length)
    header = payload[:length].replace(b'"binary_data_size":5', b'"binary_data_size":%d' % len(raw))
    assert _told(header + raw, len(header), seen=True) == _told(
        header + raw, len(header), seen=False
    )


def test_a_size_that_lies_is_refused_as_ever() -> None:
    payload, length = stored("a")
    reading.read(TASK, payload, length)
    for size in (b"4", b"6", b"05", b"5.0", b'"5"'):
        header = payload[:length].replace(b'size":5', b'size":' + size)
        whole = header + payload[length:]
        with pytest.raises(WherryError):
            reading.read(TASK, whole, len(header))


def _told(payload: bytes, length: int, *, seen: bool) -> object:
    if not seen:
        reading._reader.cache_clear()
    try:
        return list(reading.read(TASK, payload, length).rows)
    except WherryError as error:
        return type(error), error.message


def test_rows_that_the_api_refused_are_no_part_of_a_form(reads: list[int]) -> None:
    refused = row_errors({1: WherryError("no text")})
    for _ in range(2):
        read = reading.read(TASK, *stored("a", **refused))
        assert (list(read.refused), list(read.places)) == ([1], [0])
        assert "row_errors" not in read.request.parameters
    assert len(reads) == 2


def test_a_parameter_of_the_sizes_name_is_no_size(reads: list[int]) -> None:
    for size in (5, 6):
        read = reading.read(TASK, *stored("ab", binary_data_size=size))
        assert read.request.parameters["binary_data_size"] == size
    assert len(reads) == 2


def test_as_many_forms_are_kept_as_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch, reads: list[int]
) -> None:
    monkeypatch.setattr(reading, "_MOST", 2)
    for _ in range(2):
        for number in range(4):
            reading.read(TASK, *stored("a", nonsense=number))
    assert len(reading._reader(TASK)._forms) <= 2
    reading.read(TASK, *stored("a", nonsense="n" * 600))
    assert len(reading._reader(TASK)._forms) <= 2, "nor one that is longer than most"


def test_a_request_without_rows_is_no_form() -> None:
    """As some task's may be one day: to read it is not at fault."""
    request = codec.decode_request(*stored("a"))
    assert reading._form_of(reading.ReadRequest(request, [], {}, [])) is None


def test_a_timeout_that_is_not_heeded_is_remarked_on() -> None:
    request = v2.InferenceRequest(
        inputs=[v2.RequestInput(name="text", shape=[1], datatype=Datatype.BYTES, data=["a"])],
        parameters={"timeout": 30},
    )
    assert remarks_on(request, ()) == [
        "parameter timeout: 30 µs are too few for a queue, and not heeded"
    ]
    request.parameters["timeout"] = 1000
    assert remarks_on(request, ()) == []
