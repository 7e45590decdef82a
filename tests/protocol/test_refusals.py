"""What must be refused, and that the refusal names the fault."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wherry.protocol import codec, v2
from wherry.protocol.datatypes import Datatype
from wherry.protocol.errors import InvalidRequest, InvalidTensor
from wherry.protocol.request_check import check_inputs

GOOD = {"name": "x", "shape": [2], "datatype": "INT32", "data": [1, 2]}


def tensor(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in {**GOOD, **changes}.items() if value is not ...}


def refused(document: Any, length: int | None = None) -> str:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(InvalidRequest) as caught:
        codec.decode_request(body, length)
    return caught.value.message


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (b"", "empty"),
        (b"not json", "not JSON"),
        (b"[1]", "expected a JSON object, got a list"),
        (b'{"inputs": [NaN]}', "not JSON"),
        (b"[" * 5000, "not JSON"),
        ({}, "inputs"),
        ({"inputs": []}, "inputs"),
        ({"inputs": "x"}, "inputs"),
        ({"inputs": [1]}, "inputs[0]"),
        ({"inputs": [GOOD], "id": 7}, "id"),
        ({"inputs": [GOOD], "parameters": []}, "parameters"),
        ({"inputs": [GOOD], "outputs": [{}]}, "outputs[0].name"),
    ],
)
def test_a_malformed_document_is_refused(document: Any, says: str) -> None:
    assert says in refused(document)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": ...}, "inputs[0].name"),
        ({"shape": ...}, "inputs[0].shape"),
        ({"datatype": ...}, "inputs[0].datatype"),
        ({"data": ...}, "inputs[0].data"),
        ({"name": ""}, "inputs[0].name"),
        ({"datatype": "STRING"}, "inputs[0].datatype"),
        ({"shape": [-1]}, "inputs[0].shape[0]"),
        ({"shape": [1.5]}, "inputs[0].shape[0]"),
        ({"shape": [True]}, "inputs[0].shape[0]"),
        ({"shape": ["2"]}, "inputs[0].shape[0]"),
        ({"shape": [3]}, "needs 3 elements, got 2"),
        ({"shape": [1]}, "needs 1 elements, got 2"),
        ({"shape": [2**31, 2**31]}, "needs 4611686018427387904 elements"),
        ({"data": {}}, "inputs[0].data"),
        ({"data": ["1", "2"]}, "'x'"),
        ({"data": [None, 1]}, "holds null; each element is to be an integer"),
        ({"data": [1.5, 2]}, "a number with a fraction"),
        ({"data": [True, 2]}, "true or false"),
        ({"data": [1, 2**31]}, "2147483648 is out of the range of INT32"),
        ({"datatype": "UINT8", "data": [-1, 2]}, "-1 is out of the range of UINT8"),
        ({"datatype": "BOOL"}, "an integer"),
        ({"datatype": "BYTES"}, "an integer"),
        ({"datatype": "FP32", "data": [1, 1e39]}, "out of the range of FP32"),
        ({"datatype": "FP16"}, "binary"),
        ({"datatype": "BF16"}, "binary"),
        ({"shape": [2, 2], "data": [[1, 2], [3]]}, "ragged"),
        ({"shape": [2, 2], "data": [[1, 2], 3]}, "ragged"),
    ],
)
def test_a_tensor_that_does_not_fit_is_refused(changes: dict[str, Any], says: str) -> None:
    assert says in refused({"inputs": [tensor(**changes)]})


def binary(raw: bytes, size: Any, **changes: Any) -> tuple[bytes, int]:
    given = tensor(data=..., parameters={"binary_data_size": size}, **changes)
    head = json.dumps({"inputs": [given]}).encode()
    return head + raw, len(head)


@pytest.mark.parametrize(
    ("raw", "size", "changes", "says"),
    [
        (b"\0" * 8, 4, {}, "4 bytes follow"),
        (b"\0" * 4, 8, {}, "4 bytes are left"),
        (b"\0" * 8, -8, {}, "non-negative"),
        (b"\0" * 8, "8", {}, "non-negative"),
        (b"\0" * 8, True, {}, "non-negative"),
        (b"\0" * 4, 4, {}, "expected 8 bytes for 2 elements of INT32, got 4"),
        (b"\x09\0\0\0ab", 6, {"datatype": "BYTES", "shape": [1]}, "claims 9 bytes where 2"),
        (b"\x01\0", 2, {"datatype": "BYTES", "shape": [1]}, "2 bytes left over"),
        (b"\x01\0\0\0a", 5, {"datatype": "BYTES"}, "expected 2 BYTES elements, got 1"),
        (b"", 0, {"shape": [2**40]}, "expected 4398046511104 bytes"),
    ],
)
def test_binary_data_whose_sizes_lie_is_refused(
    raw: bytes, size: Any, changes: dict[str, Any], says: str
) -> None:
    body, length = binary(raw, size, **changes)
    assert says in refused(body, length)


def test_header_lengths_that_lie_are_refused() -> None:
    body, length = binary(b"\0" * 8, 8)
    assert codec.decode_request(body, length).inputs[0].flat() == [0, 0]
    assert "the body" in refused(body, len(body) + 1)
    assert "the body" in refused(body, -1)
    assert "empty" in refused(body, 0)
    assert "JSON" in refused(body, length - 1)
    assert "Inference-Header-Content-Length" in refused(body[:length])


def test_data_and_a_binary_size_together_are_refused() -> None:
    given = {**GOOD, "parameters": {"binary_data_size": 0}}
    head = json.dumps({"inputs": [given]}).encode()
    assert "both" in refused(head, len(head))


METADATA = [v2.TensorMetadata(name="x", datatype=Datatype.INT32, shape=[-1, 2])]
OUTPUTS = [v2.TensorMetadata(name="y", datatype=Datatype.FP32, shape=[-1])]


@pytest.mark.parametrize(
    ("inputs", "outputs", "says"),
    [
        ([{"name": "z"}], None, "unknown input 'z'; the model takes 'x'"),
        ([{}, {}], None, "given twice"),
        ([{"datatype": "INT64"}], None, "expected INT32, got INT64"),
        ([{"shape": [4], "data": [1, 2, 3, 4]}], None, "expected shape [-1, 2], got [4]"),
        ([{"shape": [1, 4], "data": [1, 2, 3, 4]}], None, "expected shape [-1, 2], got [1, 4]"),
        ([{}], [{"name": "w"}], "unknown output 'w'; the model gives 'y'"),
    ],
)
def test_a_request_that_does_not_fit_the_model_is_refused(
    inputs: list[dict[str, Any]], outputs: Any, says: str
) -> None:
    base = {"shape": [1, 2], "data": [1, 2]}
    document = {"inputs": [tensor(**{**base, **change}) for change in inputs], "outputs": outputs}
    request = codec.decode_request(json.dumps(document).encode())
    with pytest.raises(InvalidRequest) as caught:
        check_inputs(request, METADATA, OUTPUTS)
    assert says in caught.value.message


def test_nan_has_no_json_form_and_says_what_to_do() -> None:
    data = [1.0, float("nan")]
    output = v2.ResponseOutput(name="y", shape=[2], datatype=Datatype.FP32, data=data)
    response = v2.InferenceResponse(model_name="m", outputs=[output])
    with pytest.raises(InvalidTensor, match="ask for binary data"):
        codec.encode_response(response)
    body, length = codec.encode_response(response, binary=True)
    assert length is not None
    read = codec.decode_response(body, length).outputs[0].flat()
    assert read[1] != read[1]


def test_files_in_json_are_base64() -> None:
    for text in ("a", "a-_=", "aGk=aGk=", "ümlaut"):
        given = v2.RequestInput(name="i", shape=[1], datatype=Datatype.BYTES, data=[text])
        with pytest.raises(InvalidTensor, match="base64"):
            given.blobs()


def test_text_must_be_utf8() -> None:
    given = v2.RequestInput(name="t", shape=[1], datatype=Datatype.BYTES, data=b"\x01\0\0\0\xff")
    with pytest.raises(InvalidTensor, match="UTF-8"):
        given.texts()
