"""Between a row's tensors and the arrays that ONNX Runtime takes and gives."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from ....protocol.datatypes import Datatype
from ....protocol.elements import raw_of, text_of
from ...graph_signature import GraphTensor, shape_of
from ...graph_tensors import RowTensor

#: What ONNX Runtime calls the element types that OIP has, and how numpy holds them: it knows no
#: bfloat16, of which it gets the bits.
TYPES: Mapping[str, tuple[Datatype, type[np.generic]]] = {
    "tensor(bool)": (Datatype.BOOL, np.bool_),
    "tensor(uint8)": (Datatype.UINT8, np.uint8),
    "tensor(uint16)": (Datatype.UINT16, np.uint16),
    "tensor(uint32)": (Datatype.UINT32, np.uint32),
    "tensor(uint64)": (Datatype.UINT64, np.uint64),
    "tensor(int8)": (Datatype.INT8, np.int8),
    "tensor(int16)": (Datatype.INT16, np.int16),
    "tensor(int32)": (Datatype.INT32, np.int32),
    "tensor(int64)": (Datatype.INT64, np.int64),
    "tensor(float16)": (Datatype.FP16, np.float16),
    "tensor(bfloat16)": (Datatype.BF16, np.uint16),
    "tensor(float)": (Datatype.FP32, np.float32),
    "tensor(double)": (Datatype.FP64, np.float64),
    "tensor(string)": (Datatype.BYTES, np.object_),
}

_NUMPY = dict(TYPES.values())

#: onnx.TensorProto.BFLOAT16.
_BFLOAT16 = 16


def array_of(tensor: GraphTensor, value: Any) -> NDArray[Any]:
    """A row's value as an array. Raises InvalidTensor for texts that are none."""
    if isinstance(value, RowTensor):
        return _of_row(tensor.name, value)
    shape, flat = shape_of(tensor.name, value)
    if tensor.datatype is Datatype.BYTES:
        return _texts(tensor.name, flat).reshape(shape)
    if tensor.datatype is Datatype.BF16:
        raw = raw_of(flat, tensor.datatype, name=tensor.name)
        return np.frombuffer(raw, np.uint16).reshape(shape)
    return np.array(flat, _NUMPY[tensor.datatype]).reshape(shape)


def _of_row(name: str, value: RowTensor) -> NDArray[Any]:
    if value.datatype is Datatype.BYTES:
        return _texts(name, value.elements).reshape(value.shape)
    if not len(value.raw):
        return np.empty(value.shape, _NUMPY[value.datatype])
    if value.datatype is Datatype.BOOL:  # any byte but 0 is true
        bits: NDArray[Any] = np.frombuffer(value.raw, np.uint8) != 0
        return bits.reshape(value.shape)
    return np.frombuffer(value.raw, _NUMPY[value.datatype]).reshape(value.shape)


def _texts(name: str, values: Sequence[Any]) -> NDArray[Any]:
    array = np.empty(len(values), object)
    array[:] = [text_of(value, name=name) for value in values]
    return array


def row_tensor(array: NDArray[Any], datatype: Datatype) -> RowTensor:
    """An array as OIP has it."""
    data: bytes | list[bytes]
    if datatype is Datatype.BYTES:
        data = [str(text).encode() for text in array.ravel()]
    else:
        data = array.tobytes()
    return RowTensor(datatype, array.shape, data)


def nested_lists(array: NDArray[Any], datatype: Datatype) -> Any:
    """An array as JSON has it."""
    if datatype is Datatype.BF16:
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return array.tolist()


def run_bits(
    session: Any, feed: Mapping[str, NDArray[Any]], tensors: Sequence[GraphTensor], names: list[str]
) -> list[NDArray[Any]]:
    """Run a graph that takes or gives bfloat16, of which arrays have the bits."""
    kinds = {tensor.name: tensor.datatype for tensor in tensors}
    values = {
        name: ort.OrtValue.ortvalue_from_numpy_with_onnx_type(array, _BFLOAT16)
        if kinds[name] is Datatype.BF16
        else ort.OrtValue.ortvalue_from_numpy(array)
        for name, array in feed.items()
    }
    return [_array(value) for value in session.run_with_ort_values(names, values)]


def _array(value: Any) -> NDArray[Any]:
    """An OrtValue of the host as an array of its own."""
    if value.element_type() != _BFLOAT16:
        return np.asarray(value.numpy())
    shape = tuple(value.shape())
    size = value.tensor_size_in_bytes()
    raw = ctypes.string_at(value.data_ptr(), size) if size else b""
    return np.frombuffer(raw, np.uint16).reshape(shape)
