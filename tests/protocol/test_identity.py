"""JSON -> model -> binary -> model is the identity, for every datatype."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.protocol import codec, v2
from wherry.protocol.datatypes import Datatype
from wherry.protocol.errors import InvalidRequest

KEYS = ["inputs", "name", "shape", "datatype", "data", "parameters", "outputs", "id"]
JSON_TYPES = [datatype for datatype in Datatype if not datatype.binary_only]


def values(datatype: Datatype) -> st.SearchStrategy[Any]:
    limits = datatype.integer_range
    if limits:
        return st.integers(*limits)
    if datatype is Datatype.BOOL:
        return st.booleans()
    if datatype is Datatype.BYTES:
        return st.text()
    if datatype is Datatype.FP64:
        return st.floats(allow_nan=False, allow_infinity=False)
    return st.floats(allow_nan=False, allow_infinity=False, width=32)


@st.composite
def tensors(draw: st.DrawFn) -> dict[str, Any]:
    datatype = draw(st.sampled_from(JSON_TYPES))
    shape = draw(st.lists(st.integers(0, 4), max_size=3))
    count = 1
    for dimension in shape:
        count *= dimension
    flat = draw(st.lists(values(datatype), min_size=count, max_size=count))
    nested = draw(st.booleans())
    return {
        "name": draw(st.text(min_size=1)),
        "shape": shape,
        "datatype": datatype.value,
        "data": nest(flat, shape) if nested and count and shape else flat,
    }


def nest(flat: list[Any], shape: list[int]) -> list[Any]:
    for dimension in reversed(shape[1:]):
        flat = [flat[i : i + dimension] for i in range(0, len(flat), dimension)]
    return flat


def plain(request: v2.InferenceRequest) -> list[Any]:
    return [
        (t.name, t.shape, t.datatype, t.texts() if t.datatype is Datatype.BYTES else list(t.flat()))
        for t in request.inputs
    ]


@given(st.lists(tensors(), min_size=1, max_size=3), st.none() | st.text())
def test_json_to_binary_and_back_changes_nothing(
    inputs: list[dict[str, Any]], request_id: str | None
) -> None:
    document = {"inputs": inputs} if request_id is None else {"id": request_id, "inputs": inputs}
    first = codec.decode_request(json.dumps(document).encode())
    body, length = codec.encode_request(first, binary=True)
    second = codec.decode_request(body, length)
    assert second.id == first.id
    assert plain(second) == plain(first)
    again, _ = codec.encode_request(second, binary=True)
    assert again == body


@given(st.sampled_from(list(Datatype)), st.binary(max_size=64))
def test_binary_data_of_any_bits_survives(datatype: Datatype, data: bytes) -> None:
    width = datatype.width
    if width is None:
        raw, count = struct.pack("<I", len(data)) + data, 1
    else:
        count = len(data) // width
        raw = data[: count * width]
    if datatype is Datatype.BOOL:
        raw = bytes(byte & 1 for byte in raw)
    header = {
        "inputs": [
            {
                "name": "x",
                "shape": [count],
                "datatype": datatype.value,
                "parameters": {"binary_data_size": len(raw)},
            }
        ]
    }
    head = json.dumps(header).encode()
    request = codec.decode_request(head + raw, len(head))
    body, length = codec.encode_request(request, binary=True)
    assert body[length:] == raw
    assert len(request.inputs[0].flat()) == count


@given(st.binary(max_size=200), st.none() | st.integers(-5, 250))
def test_any_bytes_are_read_or_refused(body: bytes, length: int | None) -> None:
    try:
        codec.decode_request(body, length)
    except InvalidRequest as error:
        assert error.message


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(KEYS), inner),
        max_leaves=12,
    )
)
def test_any_document_is_read_or_refused(document: Any) -> None:
    try:
        codec.decode_request(json.dumps(document).encode())
    except InvalidRequest as error:
        assert error.message


@pytest.mark.parametrize(
    ("datatype", "value"), [(Datatype.FP16, 1.5), (Datatype.BF16, -2.5), (Datatype.BF16, 3e38)]
)
def test_half_floats_keep_what_they_can_hold(datatype: Datatype, value: float) -> None:
    tensor = v2.RequestInput(name="x", shape=[1], datatype=datatype, data=[value])
    raw = v2.RequestInput(name="x", shape=[1], datatype=datatype, data=tensor.raw())
    assert raw.flat()[0] == pytest.approx(value, rel=0.01)
