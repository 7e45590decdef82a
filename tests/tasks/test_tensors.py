from __future__ import annotations

import pytest

from wherry.protocol import v2
from wherry.protocol.datatypes import Datatype
from wherry.protocol.errors import InvalidTensor
from wherry.tasks.tensors import TensorSpec, padded, unpadded

SCORE = TensorSpec("score", Datatype.FP32, (-1, -1), "score")
BOX = TensorSpec("box", Datatype.FP32, (-1, -1, 2), "box")
LABEL = TensorSpec("label", Datatype.BYTES, (-1, -1), "label", "text")


def response(data: object, shape: list[int], **parameters: object) -> v2.ResponseOutput:
    return v2.ResponseOutput(
        name="score", shape=shape, datatype=Datatype.FP32, data=data, parameters=parameters
    )


def test_equal_rows_need_no_lengths() -> None:
    tensor = padded(SCORE, [[1.0, 2.0], [3.0, 4.0]], 0.0)
    assert tensor.shape == [2, 2]
    assert tensor.parameters == {}
    assert unpadded(tensor) == [[1.0, 2.0], [3.0, 4.0]]


def test_ragged_rows_become_a_true_rectangle_and_come_back() -> None:
    tensor = padded(SCORE, [[1.0, 2.0], [], [3.0]], 0.0)
    assert tensor.shape == [3, 2]
    assert tensor.data == [[1.0, 2.0], [0.0, 0.0], [3.0, 0.0]]
    assert tensor.parameters == {"row_lengths": "2,0,1"}
    tensor.check()
    assert unpadded(tensor) == [[1.0, 2.0], [], [3.0]]


def test_wide_entries_are_flat_in_their_row() -> None:
    tensor = padded(BOX, [[[1, 2], [3, 4]], [[5, 6]]], [0, 0], width=2)
    assert tensor.shape == [2, 2, 2]
    assert tensor.data == [[1, 2, 3, 4], [5, 6, 0, 0]]
    assert unpadded(tensor, width=2) == [[[1, 2], [3, 4]], [[5, 6]]]


def test_no_rows_at_all() -> None:
    tensor = padded(SCORE, [], 0.0)
    assert tensor.shape == [0, 0]
    assert unpadded(tensor) == []


def test_raw_data_unpads_the_same() -> None:
    tensor = padded(LABEL, [["a", "bc"], ["d"]], "")
    raw = tensor.model_copy(update={"data": tensor.raw()})
    assert unpadded(raw) == [["a", "bc"], ["d"]]


def test_flat_data_follows_the_shape() -> None:
    assert unpadded(response([1.0, 2.0, 3.0, 4.0], [2, 2])) == [[1.0, 2.0], [3.0, 4.0]]


def test_fully_nested_boxes_are_read_too() -> None:
    tensor = response([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]], [2, 2, 2])
    assert unpadded(tensor, width=2) == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]


def test_nested_rows_count_where_another_server_sends_the_shape_of_the_shortest() -> None:
    assert unpadded(response([[1.0, 2.0], [3.0]], [2, 1])) == [[1.0, 2.0], [3.0]]


@pytest.mark.parametrize("lengths", ["1", "1,2,1", "1,x", "", "1,-1", "1,3"])
def test_lengths_that_do_not_fit_are_refused(lengths: str) -> None:
    with pytest.raises(InvalidTensor, match="row_lengths"):
        unpadded(response([[1.0, 2.0], [3.0, 4.0]], [2, 2], row_lengths=lengths))


def test_a_tensor_without_rows_is_refused() -> None:
    with pytest.raises(InvalidTensor, match="expected rows"):
        unpadded(response([1.0], [1]))
