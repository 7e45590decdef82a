"""A request held against what a model declares that it takes and gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .errors import InvalidRequest, InvalidTensor
from .v2 import InferenceRequest, Tensor, TensorMetadata


def check_inputs(
    request: InferenceRequest,
    inputs: Sequence[TensorMetadata],
    outputs: Sequence[TensorMetadata],
    *,
    optional: frozenset[str] = frozenset(),
) -> None:
    """Hold a request against a model's metadata. Raises InvalidRequest that names the tensor."""
    declared = {tensor.name: tensor for tensor in inputs}
    seen: set[str] = set()
    for tensor in request.inputs:
        if tensor.name in seen:
            raise InvalidRequest(f"input {tensor.name!r} is given twice")
        if tensor.name not in declared:
            raise InvalidRequest(
                f"unknown input {tensor.name!r}; the model takes {_names(declared)}"
            )
        seen.add(tensor.name)
        _check_tensor(tensor, declared[tensor.name])
    missing = set(declared) - seen - optional
    if missing:
        raise InvalidRequest(f"missing input {min(missing)!r}")
    known = {tensor.name: tensor for tensor in outputs}
    for output in request.outputs or ():
        if output.name not in known:
            raise InvalidRequest(f"unknown output {output.name!r}; the model gives {_names(known)}")


def _check_tensor(tensor: Tensor, declared: TensorMetadata) -> None:
    if tensor.datatype is not declared.datatype:
        raise InvalidTensor(
            f"tensor {tensor.name!r}: expected {declared.datatype}, got {tensor.datatype}"
        )
    shape = tensor.shape
    if len(declared.shape) < 2 and shape[len(declared.shape) :] == [1]:
        # MLServer's codecs write a list as a column, and Triton has no configuration of a scalar.
        shape = shape[: len(declared.shape)]
    fits = len(shape) == len(declared.shape) and all(
        want in (-1, got) for want, got in zip(declared.shape, shape, strict=True)
    )
    if not fits:
        raise InvalidTensor(
            f"tensor {tensor.name!r}: expected shape {declared.shape}, got {tensor.shape}"
        )


def _names(tensors: Mapping[str, Any]) -> str:
    return ", ".join(repr(name) for name in tensors)
