"""Tables in the forms that OIP clients send: rows, columns, a matrix."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wherry.protocol import codec, v2
from wherry.protocol.errors import InvalidRequest
from wherry.tasks.multimodal.tabular_classification import TabularClassificationInput


def tensor(name: str, datatype: str, shape: list[int], data: list[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


def read(*inputs: dict[str, Any], binary: bool = False, **parameters: Any) -> list[Any]:
    request = v2.InferenceRequest.parse({"inputs": list(inputs), "parameters": parameters})
    if binary:
        body, length = codec.encode_request(request, binary=True)
        request = codec.decode_request(body, length)
    return TabularClassificationInput.from_inference_request(request).records


COLUMNS = (
    tensor("length_m", "FP64", [2, 1], [12.5, 25.0]),  # as MLServer's codec writes a data frame
    tensor("sails", "INT64", [2], [1, 2]),
    tensor("rig", "BYTES", [2, 1], ["gaff", "lug"]),
    tensor("decked", "BOOL", [2], [True, False]),
)


@pytest.mark.parametrize("binary", [False, True])
def test_a_tensor_a_column(*, binary: bool) -> None:
    assert read(*COLUMNS, binary=binary) == [
        {"length_m": 12.5, "sails": 1, "rig": "gaff", "decked": True},
        {"length_m": 25.0, "sails": 2, "rig": "lug", "decked": False},
    ]


def test_a_matrix_of_any_name() -> None:
    matrix = tensor("predict", "FP32", [2, 3], [1, 2, 3, 4, 5, 6])
    assert read(matrix) == [[1, 2, 3], [4, 5, 6]]
    assert read(tensor("predict", "FP32", [2, 1], [1, 2])) == [[1], [2]]


def test_one_column_by_its_shape_or_by_its_content_type() -> None:
    assert read(tensor("a", "FP32", [2], [1, 2])) == [{"a": 1}, {"a": 2}]
    column = tensor("a", "FP32", [2, 1], [1, 2])
    assert read(column, content_type="pd") == [{"a": 1}, {"a": 2}]


def test_rows_as_json() -> None:
    rows = [json.dumps({"a": 1, "b": None}), "[1, 2]"]
    assert read(tensor("row", "BYTES", [2], rows)) == [{"a": 1, "b": None}, [1, 2]]


def test_what_is_no_number_is_missing() -> None:
    nan = float("nan")
    assert read(tensor("a", "FP64", [2], [1.0, nan]), binary=True) == [{"a": 1}, {"a": None}]


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ([tensor("a", "FP32", [2], [1, 2]), tensor("b", "FP32", [1], [1])], "'b' has 1 rows"),
        ([tensor("a", "FP32", [1, 2], [1, 2]), tensor("b", "FP32", [1], [1])], "'a': a column has"),
        ([tensor("a", "FP32", [2, 2], [1, 2, 3])], "needs 4 elements"),
        ([tensor("a", "FP32", [1], [1]), tensor("a", "FP32", [1], [2])], "'a' is given twice"),
        ([tensor("a", "FP32", [0], [])], "records"),
        ([tensor("row", "BYTES", [1], ['{"a": [1]}'])], "records"),
    ],
)
def test_what_is_no_table_is_refused_by_name(inputs: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        read(*inputs)


def test_infinity_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="'a': infinity"):
        read(tensor("a", "FP64", [1], [float("inf")]), binary=True)
