"""The exact bytes and words of OIP v2, spelt out: what another implementation relies on."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from wherry.protocol import codec, v2
from wherry.protocol.datatypes import Datatype
from wherry.protocol.errors import InvalidRequest, InvalidTensor

#: Per datatype two values and their raw form, written by hand.
RAW: dict[str, tuple[list[Any], bytes]] = {
    "BOOL": ([True, False], b"\x01\x00"),
    "UINT8": ([1, 255], b"\x01\xff"),
    "UINT16": ([1, 0xABCD], b"\x01\x00\xcd\xab"),
    "UINT32": ([1, 0x89ABCDEF], b"\x01\x00\x00\x00\xef\xcd\xab\x89"),
    "UINT64": ([1, 2**64 - 1], b"\x01" + b"\x00" * 7 + b"\xff" * 8),
    "INT8": ([1, -1], b"\x01\xff"),
    "INT16": ([1, -2], b"\x01\x00\xfe\xff"),
    "INT32": ([1, -2], b"\x01\x00\x00\x00\xfe\xff\xff\xff"),
    "INT64": ([1, -2], b"\x01" + b"\x00" * 7 + b"\xfe" + b"\xff" * 7),
    "FP16": ([1.0, -2.0], b"\x00\x3c\x00\xc0"),
    "BF16": ([1.0, -2.0], b"\x80\x3f\x00\xc0"),
    "FP32": ([1.0, -2.0], b"\x00\x00\x80\x3f\x00\x00\x00\xc0"),
    "FP64": ([1.0, -2.0], b"\x00\x00\x00\x00\x00\x00\xf0\x3f\x00\x00\x00\x00\x00\x00\x00\xc0"),
    "BYTES": ([b"ab", b""], b"\x02\x00\x00\x00ab\x00\x00\x00\x00"),
}


def binary(inputs: list[dict[str, Any]], raw: bytes) -> tuple[bytes, int]:
    head = json.dumps({"inputs": inputs}).encode()
    return head + raw, len(head)


def raw_input(name: str, datatype: str, shape: list[int], size: int) -> dict[str, Any]:
    parameters = {"binary_data_size": size}
    return {"name": name, "datatype": datatype, "shape": shape, "parameters": parameters}


def test_every_datatype_is_in_the_table() -> None:
    assert set(RAW) == {datatype.value for datatype in Datatype}


@pytest.mark.parametrize("name", RAW)
def test_raw_data_is_little_endian_and_unpadded(name: str) -> None:
    values, raw = RAW[name]
    body, length = binary([raw_input("x", name, [2], len(raw))], raw)
    [tensor] = codec.decode_request(body, length).inputs
    assert list(tensor.flat()) == values
    again = v2.RequestInput(name="x", shape=[2], datatype=Datatype(name), data=values)
    assert again.raw() == raw


def test_raw_tensors_follow_in_the_order_of_the_inputs_that_declare_them() -> None:
    inputs = [
        raw_input("a", "UINT8", [2], 2),
        {"name": "b", "datatype": "INT32", "shape": [1], "data": [7]},
        raw_input("c", "UINT8", [0], 0),
        raw_input("d", "BYTES", [1], 5),
    ]
    body, length = binary(inputs, b"\x01\x02" + b"\x01\x00\x00\x00z")
    read = codec.decode_request(body, length).inputs
    assert [list(tensor.flat()) for tensor in read] == [[1, 2], [7], [], [b"z"]]
    assert all("binary_data_size" not in tensor.parameters for tensor in read)


def test_raw_data_is_a_view_of_the_body() -> None:
    body, length = binary([raw_input("x", "UINT8", [1000], 1000)], bytes(1000))
    [tensor] = codec.decode_request(body, length).inputs
    assert isinstance(tensor.data, memoryview)
    assert tensor.data.obj is body
    assert tensor.raw() is tensor.data


@pytest.mark.parametrize(
    ("tensor", "raw"),
    [
        (raw_input("x", "FP64", [2**31, 2**31], 8), bytes(8)),
        (raw_input("x", "BYTES", [2**31, 2**31], 5), b"\x01\x00\x00\x00a"),
        (raw_input("x", "BYTES", [1], 6), b"\xff\xff\xff\xffab"),
        (raw_input("x", "UINT8", [2**40], 2**40), b""),
        ({"name": "x", "datatype": "BYTES", "shape": [2**31, 2**31], "data": ["a"]}, b""),
        ({"name": "x", "datatype": "FP32", "shape": [2**62, 8], "data": []}, b""),
    ],
)
def test_nothing_is_allocated_by_a_size_that_lies(tensor: dict[str, Any], raw: bytes) -> None:
    body, length = binary([tensor], raw)
    tracemalloc.start()
    try:
        with pytest.raises(InvalidRequest):
            codec.decode_request(body, length)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("shape", "data"), [([2**32, 2**32], []), ([2**62 + 1, 2, 2], [1, 2, 3, 4])]
)
def test_elements_are_counted_past_64_bits(shape: list[int], data: list[int]) -> None:
    """In 64 bits both products wrap, to just what the data holds."""
    given = {"name": "x", "datatype": "INT32", "shape": shape, "data": data}
    with pytest.raises(InvalidTensor, match="elements"):
        codec.decode_request(json.dumps({"inputs": [given]}).encode())


@pytest.mark.parametrize("data", [[[1, 2, 3], [4, 5, 6]], [[[1], [2], [3]], [[4], [5], [6]]]])
def test_nested_data_is_flat_data_row_by_row(data: list[Any]) -> None:
    given = {"name": "x", "datatype": "INT64", "shape": [2, 3], "data": data}
    [tensor] = codec.decode_request(json.dumps({"inputs": [given]}).encode()).inputs
    assert list(tensor.flat()) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("datatype", ["FP32", "FP64"])
@pytest.mark.parametrize("number", ["1e400", "-1e400", "1" + "0" * 400])
def test_a_number_that_no_float_holds_is_refused(datatype: str, number: str) -> None:
    head = b'{"inputs":[{"name":"x","shape":[1],"datatype":"%s","data":[%s]}]}'
    with pytest.raises(InvalidTensor, match=f"out of the range of {datatype}"):
        codec.decode_request(head % (datatype.encode(), number.encode()))


@pytest.mark.parametrize("datatype", [t.value for t in Datatype if t.integer_range])
def test_integers_keep_to_their_range(datatype: str) -> None:
    bits = int(datatype.lstrip("UINT"))
    least, greatest = (0, 2**bits - 1) if datatype[0] == "U" else (-(2 ** (bits - 1)), 0)
    greatest = greatest or 2 ** (bits - 1) - 1

    def read(value: int) -> list[Any]:
        given = {"name": "x", "datatype": datatype, "shape": [1], "data": [value]}
        return list(codec.decode_request(json.dumps({"inputs": [given]}).encode()).inputs[0].flat())

    assert (read(least), read(greatest)) == ([least], [greatest])
    for value in (least - 1, greatest + 1, 10**400):
        with pytest.raises(InvalidTensor, match=f"out of the range of {datatype}"):
            read(value)


def test_null_stands_for_no_parameters() -> None:
    given = {"name": "x", "datatype": "BOOL", "shape": [1], "data": [True], "parameters": None}
    document = {
        "id": None,
        "parameters": None,
        "inputs": [given],
        "outputs": [{"name": "y", "parameters": None}],
    }
    request = codec.decode_request(json.dumps(document).encode())
    assert request.outputs is not None
    assert [request.parameters, request.inputs[0].parameters, request.outputs[0].parameters] == [
        {}
    ] * 3


@pytest.mark.parametrize("hint", ["np", "pd", "str", "datetime", "hg_jsonlist", "odd", 7, None])
def test_other_content_types_change_nothing(hint: object) -> None:
    text = v2.RequestInput(
        name="t",
        shape=[1],
        datatype=Datatype.BYTES,
        data=["aGk="],
        parameters={"content_type": hint},
    )
    assert (text.texts(), text.blobs()) == (["aGk="], [b"hi"])


def test_text_that_is_marked_as_base64_is_decoded() -> None:
    def text(data: Any) -> v2.RequestInput:
        marks = {"content_type": "base64"}
        return v2.RequestInput(
            name="t", shape=[1], datatype=Datatype.BYTES, data=data, parameters=marks
        )

    assert text(["w7w="]).texts() == ["ü"]
    assert text(["w7w="]).raw() == b"\x02\x00\x00\x00\xc3\xbc"
    # In the binary extension elements are what they are.
    assert text(b"\x04\x00\x00\x00w7w=").texts() == ["w7w="]
    with pytest.raises(InvalidTensor, match="base64"):
        text(["ü"]).texts()


def test_a_request_of_parsed_json_is_checked_like_any() -> None:
    given: dict[str, Any] = {"name": "x", "datatype": "INT8", "shape": [1], "data": [1]}
    assert codec.request_of({"inputs": [given]}).inputs[0].data == [1]
    raw = {**given, "parameters": {"binary_data_size": 1}}
    for document, says in (
        ("x", "JSON object"),
        ({"inputs": [{**given, "data": [999]}]}, "range"),
        ({"inputs": [raw]}, "Inference-Header-Content-Length"),
    ):
        with pytest.raises(InvalidRequest, match=says):
            codec.request_of(document)
