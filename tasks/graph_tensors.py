"""A task that declares the tensors of its model's graph, and rows of them."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self, cast

from pydantic import PrivateAttr, field_validator

from ..protocol import v2
from ..protocol.datatypes import Datatype
from ..protocol.elements import Raw, split_bytes
from ..protocol.errors import BackendError, InvalidRequest
from ..protocol.unchecked import unchecked
from .base import Task
from .graph_signature import GraphSignature, GraphTensor, asks_by_feed, check_feed
from .multimodal.tensor import FEED, RESULT, TASK, TensorInput, TensorOutput
from .tensors import TensorSpec


@dataclass(frozen=True, slots=True)
class RowTensor:
    """A row of a tensor, or of a graph without rows all of it: raw data, of BYTES the elements."""

    datatype: Datatype
    shape: tuple[int, ...]
    data: Raw | Sequence[bytes]

    @property
    def raw(self) -> Raw:
        """The data of any datatype but BYTES."""
        return cast("Raw", self.data)

    @property
    def elements(self) -> Sequence[bytes]:
        """The data of BYTES."""
        return cast("Sequence[bytes]", self.data)


Row = Mapping[str, RowTensor]


class GraphInput(TensorInput):
    """Rows for a graph: of its own tensors, or its inputs by their names as nested lists."""

    SIGNATURE: ClassVar[GraphSignature]

    #: The rows as they came, and the tensors that they came in: spared to be put together again.
    _came: tuple[list[Any], list[v2.RequestInput]] | None = PrivateAttr(default=None)

    @field_validator("feeds")
    @classmethod
    def _check_feeds(cls, feeds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for feed in feeds:
            check_feed(feed, cls.SIGNATURE)
        return feeds

    @classmethod
    def batches_rows(cls) -> bool:
        """As its graph does."""
        return cls.SIGNATURE.batched

    def costs(self) -> list[int]:
        """Elements, or tokens of those that are texts."""
        if not self.of_tensors:
            return TensorInput.costs(unchecked(TensorInput, {"feeds": self.feeds}))
        return [max(1, sum(_weight(tensor) for tensor in feed.values())) for feed in self.feeds]

    @property
    def of_tensors(self) -> bool:
        """Whether the rows came in the graph's own tensors."""
        return isinstance(next(iter(self.feeds[0].values()), None), RowTensor)

    def to_inference_request(self) -> v2.InferenceRequest:
        """In the form in which it came."""
        if not self.of_tensors:
            tensors = [FEED.write(self.feeds)]
        elif self._came is not None and self._came[0] is self.feeds:
            tensors = self._came[1]
        else:
            tensors = [
                v2.RequestInput(**_stacked(tensor, self.SIGNATURE, self.feeds))
                for tensor in self.SIGNATURE.inputs
            ]
        return v2.InferenceRequest.made(id=None, outputs=None, inputs=tensors, parameters={})

    @classmethod
    def from_inference_request(cls, request: v2.InferenceRequest) -> Self:
        """Read either form. Raises InvalidRequest that names the tensor."""
        if asks_by_feed(request, cls.SIGNATURE):
            return cls.validated({FEED.field: FEED.read(request.input(FEED.name))})
        tensors = [_shaped(request.input(each.name), each) for each in cls.SIGNATURE.inputs]
        count = _rows_in(tensors) if cls.SIGNATURE.batched else 1
        columns = {
            tensor.name: _split(tensor, count, batched=cls.SIGNATURE.batched) for tensor in tensors
        }
        feeds = [{name: rows[number] for name, rows in columns.items()} for number in range(count)]
        bare = [_bare(tensor) for tensor in tensors]
        return unchecked(cls, {"feeds": feeds}, {"_came": (feeds, bare)})


class GraphOutput(TensorOutput):
    """Per row, the graph's outputs by their names, in the form in which they were asked for."""

    SIGNATURE: ClassVar[GraphSignature]

    def to_inference_response(self, model_name: str) -> v2.InferenceResponse:
        """The graph's own tensors for rows that came so; else the tensor result."""
        first = next((value for row in self.results for value in row.values()), None)
        if not isinstance(first, RowTensor):
            return super().to_inference_response(model_name)
        filled = [row or _blank(self.results) for row in self.results]
        tensors = [
            v2.ResponseOutput(**_stacked(tensor, self.SIGNATURE, filled))
            for tensor in self.SIGNATURE.outputs
        ]
        return v2.InferenceResponse.of(model_name, tensors)


@functools.lru_cache(maxsize=256)  # by which what is made of a task is kept, too
def task_of(signature: GraphSignature) -> Task:
    """The task of a model with these tensors."""
    told = {"SIGNATURE": signature, "__module__": __name__}
    taken = {**told, "TENSORS": _specs(signature.inputs, FEED)}
    return replace(
        TASK,
        input=type("GraphInput", (GraphInput,), taken),
        output=type("GraphOutput", (GraphOutput,), told),
        outputs=_specs(signature.outputs, RESULT),
        of_any_model=TASK,
    )


def _specs(tensors: Sequence[GraphTensor], like: TensorSpec) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(t.name, t.datatype, t.shape, like.field) for t in tensors)


def _rows_in(tensors: Sequence[v2.Tensor]) -> int:
    """How many rows, the same of each. Raises InvalidRequest."""
    first = tensors[0]
    for tensor in tensors:
        if tensor.shape[0] != first.shape[0]:
            raise InvalidRequest(
                f"tensor {tensor.name!r}: expected {first.shape[0]} rows, as {first.name!r} has, "
                f"got {tensor.shape[0]}"
            )
    if not first.shape[0]:
        raise InvalidRequest(f"tensor {first.name!r}: at least one row is needed")
    return first.shape[0]


def _split(tensor: v2.Tensor, count: int, *, batched: bool) -> list[RowTensor]:
    shape = tuple(tensor.shape[1:] if batched else tensor.shape)
    data: Sequence[bytes] | memoryview
    if tensor.datatype is Datatype.BYTES:
        data = list(_elements(tensor))
    else:
        data = memoryview(tensor.raw()).cast("B")
    each = len(data) // count
    return [
        RowTensor(tensor.datatype, shape, data[row * each : (row + 1) * each])
        for row in range(count)
    ]


def _elements(tensor: v2.Tensor) -> Iterator[bytes]:
    if tensor.is_raw:
        yield from map(bytes, split_bytes(tensor.data, name=tensor.name))
    elif tensor.is_base64:
        yield from tensor.blobs()
    else:
        for value in tensor.flat():
            yield value.encode() if isinstance(value, str) else value


def _shaped(tensor: v2.RequestInput, declared: GraphTensor) -> v2.RequestInput:
    """A tensor of as many axes as its graph declares: a list, or a single value, may have one of
    one element more.
    """
    rank = len(declared.shape)
    if rank < 2 and tensor.shape[rank:] == [1]:
        return tensor.model_copy(update={"shape": tensor.shape[:rank]})
    return tensor


def _bare(tensor: v2.RequestInput) -> v2.RequestInput:
    """A tensor without its parameters, files as they are: two ways to say the same are one."""
    data = list(_elements(tensor)) if tensor.is_base64 else tensor.data
    return tensor.model_copy(update={"parameters": {}, "data": data})


def _stacked(tensor: GraphTensor, signature: GraphSignature, rows: Sequence[Row]) -> dict[str, Any]:
    """The fields of a tensor of some rows. Raises BackendError where their shapes differ."""
    parts = [row[tensor.name] for row in rows]
    shapes = {part.shape for part in parts}
    if len(shapes) > 1:
        raise BackendError(
            f"output {tensor.name!r} has rows of the shapes {', '.join(map(str, sorted(shapes)))}, "
            "which no tensor holds: ask for them in requests of their own, or by `feed`"
        )
    shape = list(parts[0].shape)
    data: Any = parts[0].data
    if len(parts) > 1:
        data = _joined(tensor.datatype, parts)
    return {
        "name": tensor.name,
        "shape": [len(parts), *shape] if signature.batched else shape,
        "datatype": tensor.datatype,
        "parameters": {},
        "data": data,
    }


def _joined(datatype: Datatype, parts: Sequence[RowTensor]) -> Any:
    if datatype is Datatype.BYTES:
        return [element for part in parts for element in part.elements]
    return b"".join(part.raw for part in parts)


def _blank(rows: Sequence[Row]) -> Row:
    """A row that failed, of the shapes that another has: zeros, and empty texts."""
    like = next(row for row in rows if row)
    return {
        name: replace(
            tensor,
            data=[b""] * len(tensor.data)
            if tensor.datatype is Datatype.BYTES
            else bytes(len(tensor.data)),
        )
        for name, tensor in like.items()
    }


def _weight(tensor: RowTensor) -> int:
    if tensor.datatype is Datatype.BYTES:
        return sum(1 + len(element) // 4 for element in tensor.elements)
    return math.prod(tensor.shape)
