"""The tensors that a graph declares, and rows of nested lists held against them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from ..protocol import v2
from ..protocol.datatypes import Datatype
from ..protocol.elements import check_values, flatten
from ..protocol.errors import InvalidRequest, InvalidTensor
from .multimodal.tensor import FEED


@dataclass(frozen=True, slots=True)
class GraphTensor:
    """A tensor as a graph declares it; -1 for a free axis."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GraphSignature:
    """What a graph takes and gives, and whether the first axis of all of it counts rows."""

    inputs: tuple[GraphTensor, ...]
    outputs: tuple[GraphTensor, ...]
    batched: bool

    @classmethod
    def of_facts(cls, told: Mapping[str, Any]) -> Self:
        """Read what `to_facts` wrote, from JSON."""
        inputs, outputs = (
            tuple(
                GraphTensor(name, Datatype(kind), tuple(shape)) for name, kind, shape in told[side]
            )
            for side in ("inputs", "outputs")
        )
        return cls(inputs, outputs, bool(told["batched"]))

    def to_facts(self) -> dict[str, Any]:
        """As the fleet keeps it."""
        return {
            side: [[tensor.name, tensor.datatype.value, list(tensor.shape)] for tensor in tensors]
            for side, tensors in (("inputs", self.inputs), ("outputs", self.outputs))
        } | {"batched": self.batched}

    def row_shape(self, tensor: GraphTensor) -> tuple[int, ...]:
        """The shape of one row of a tensor."""
        return tensor.shape[1:] if self.batched else tensor.shape


def asks_by_feed(request: v2.InferenceRequest, signature: GraphSignature) -> bool:
    """Whether a request has its rows as JSON objects."""
    names = [tensor.name for tensor in request.inputs]
    return names == [FEED.name] and all(t.name != FEED.name for t in signature.inputs)


def check_feed(feed: Mapping[str, Any], signature: GraphSignature) -> None:
    """Hold a row of nested lists against a graph. Raises ValueError that names the tensor."""
    names = [tensor.name for tensor in signature.inputs]
    for name in feed:
        if name not in names:
            raise ValueError(f"unknown input {name[:80]!r}; the model takes {', '.join(names)}")
    for tensor in signature.inputs:
        if tensor.name not in feed:
            raise ValueError(f"missing input {tensor.name!r}")
        _check_nested(tensor, signature.row_shape(tensor), feed[tensor.name])


def _check_nested(tensor: GraphTensor, wanted: tuple[int, ...], value: Any) -> None:
    shape, flat = shape_of(tensor.name, value)
    fits = len(shape) == len(wanted) and all(
        axis in (-1, given) for axis, given in zip(wanted, shape, strict=True)
    )
    if not fits:
        raise ValueError(
            f"input {tensor.name!r}: expected {tensor.datatype} of shape {list(wanted)}, "
            f"got shape {list(shape)}"
        )
    kind = Datatype.FP32 if tensor.datatype.binary_only else tensor.datatype
    try:
        check_values(flat, kind, name=tensor.name)
    except InvalidRequest as error:
        raise ValueError(error.message) from None
    greatest = _GREATEST.get(tensor.datatype)
    if greatest and flat and (most := max(flat, key=abs)) and abs(most) >= greatest:
        raise ValueError(
            f"input {tensor.name!r}: {most!s:.40} is out of the range of {tensor.datatype}"
        )
    if kind is Datatype.BYTES:
        for text in flat:
            if isinstance(text, str):
                text.encode()  # raises ValueError for half a surrogate pair


#: From which on half floats are infinity.
_GREATEST = {Datatype.FP16: 65520.0, Datatype.BF16: 3.3961775292304957e38}


def shape_of(name: str, value: Any) -> tuple[tuple[int, ...], Sequence[Any]]:
    """The shape of nested lists, and their values. Raises ValueError for ragged ones."""
    shape, inner = [], value
    while isinstance(inner, list):
        shape.append(len(inner))
        inner = inner[0] if inner else None
    try:
        return tuple(shape), flatten(value if isinstance(value, list) else [value], name=name)
    except InvalidTensor as error:
        raise ValueError(error.message) from None
