from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....protocol.datatypes import Datatype
from ....protocol.errors import InvalidTensor, OutOfMemory, RowError
from ....protocol.unchecked import unchecked
from ...base import Task, TaskInput, TaskOutput
from ...graph_signature import GraphSignature, GraphTensor, check_feed
from ...graph_tensors import RowTensor, task_of
from ..base import Backend, ModelRefused
from ..company import Company
from ..device import Device
from ..facts import ModelFacts
from ..rows import Decoded, alike
from ..sources import opened_folder
from .graph import Graph
from .model import OnnxModel
from .on_onnxruntime import OnOnnxRuntime
from .runtime import Runtime
from .tensor_arrays import TYPES, array_of, nested_lists, row_tensor, run_bits
from .tensor_rows import why_not_batched

Arrays = dict[str, NDArray[Any]]


class TensorsOfGraph(Backend):
    """A folder's graph, fed with the tensors that it declares, which it answers with its own.

    `file` names the graph where the folder holds several. `threads` bounds its threads, 0 takes
    every core of the process. `batched` says whether the first axis counts rows, so that those of
    several requests share a forward; left out, trying the graph finds it out.
    """

    make_runtime: Callable[[], Runtime]

    def __init__(
        self,
        task: Task,
        source: str | None,
        *,
        device: Device,
        threads: int = 0,
        file: str = "",
        batched: bool | None = None,
    ) -> None:
        super().__init__(task, source, device=device)
        self._open = functools.partial(
            OnnxModel,
            opened_folder(source, "model.onnx"),
            device,
            threads=threads,
            max_pixels=0,  # it looks at no images
            file=file,
            task=task.name,
        )
        self._batched = batched
        self._runtime: Any = None  # a Runtime once loaded
        self._graph: Any = None  # a Graph between load and close
        self._signature: Any = None  # a GraphSignature once loaded

    def load(self) -> None:
        """Open the graph, and find out what its first axis is.

        Raises ModelRefused for a graph of which OIP cannot say what it takes or gives.
        """
        self._runtime = self.make_runtime()
        graph = self._graph = self._open(runtime=self._runtime).graph
        inputs, outputs = graph.session.get_inputs(), graph.session.get_outputs()
        if not inputs:
            raise ModelRefused(f"{graph.path}: the graph takes no inputs")
        taken, given = (tuple(map(_declared, nodes)) for nodes in (inputs, outputs))
        self._signature = GraphSignature(taken, given, batched=False)
        why, given = why_not_batched(graph, self._signature, self._outputs)
        if self._batched and why.startswith("its"):
            raise ModelRefused(f"parameters: batched: {why}")
        batched = not why if self._batched is None else self._batched
        self._signature = GraphSignature(taken, given, batched=batched)
        self.task = task_of(self._signature)
        self.company = _company(self._signature, why if self._batched is None else "")

    def warm_up(self) -> None:
        """Nothing: it ran when it was loaded."""

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Rows of equal shapes share a forward, where the first axis counts rows."""
        decoded = Decoded(batch, self._arrays)
        rows = decoded.rows
        if self._signature.batched:
            groups = alike(tuple(array.shape for array in row.values()) for row in rows)
        else:
            groups = [[place] for place in range(len(rows))]
        found: dict[int, TaskOutput | RowError] = {}
        for group in groups:
            outputs = self._answers([rows[place] for place in group])
            for place, output in zip(group, outputs, strict=True):
                kept = isinstance(output, RowError)
                found[place] = output if kept else self._output(decoded.inputs[place], output)
        return decoded.answers([found[place] for place in range(len(rows))])

    def _arrays(self, row: TaskInput) -> Arrays:
        """A row's inputs. Raises RowError that names the tensor."""
        feed = row.feeds[0]  # type: ignore[attr-defined] # its own Input
        try:
            if not isinstance(next(iter(feed.values()), None), RowTensor):
                check_feed(feed, self._signature)
            return {t.name: array_of(t, feed[t.name]) for t in self._signature.inputs}
        except KeyError as error:
            raise RowError(f"missing input {error.args[0]!r}") from None
        except (InvalidTensor, ValueError) as error:
            raise RowError(str(getattr(error, "message", error))) from None

    def _answers(self, rows: Sequence[Arrays]) -> Sequence[Any]:
        """The outputs of each row, arrays in order; or, of one alone, its error."""
        try:
            if not self._signature.batched:
                return [self._outputs(rows[0])]
            stacked = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
            outputs = self._outputs(stacked)
        except OutOfMemory:
            raise
        except Exception as error:
            if len(rows) > 1:  # halved, until the row at fault stands alone
                raise
            return [RowError(f"the graph does not take it: {_first_line(error)}")]
        if wrong := [len(array) for array in outputs if array.shape[:1] != (len(rows),)]:
            return [
                RowError(
                    f"the graph answers {wrong[0]} rows where {len(rows)} were asked: its first "
                    "axis counts none; declare the model with parameters = { batched = false }"
                )
            ] * len(rows)
        # With ..., since a text of rank 1 would be a str, no array.
        return [[array[place, ...] for array in outputs] for place in range(len(rows))]

    def _outputs(self, feed: Arrays) -> list[NDArray[Any]]:
        """One run of the graph while holding the device."""
        graph: Graph = self._graph
        names = [tensor.name for tensor in self._signature.outputs]
        return [np.asarray(value) for value in graph.run_as_is(self._run, feed, names)]

    def _run(self, names: list[str], feed: Arrays) -> list[Any]:
        """One run of the session; arrays of bfloat16 are its bits."""
        outputs: list[Any] = self._graph.session.run(names, feed)
        return outputs

    def _output(self, asked: TaskInput, arrays: Sequence[NDArray[Any]]) -> TaskOutput:
        """A row's answer, in the form in which it was asked."""
        feed = asked.feeds[0]  # type: ignore[attr-defined] # its own Input
        own = isinstance(next(iter(feed.values()), None), RowTensor)
        write = row_tensor if own else nested_lists
        result = {
            tensor.name: write(array, tensor.datatype)
            for tensor, array in zip(self._signature.outputs, arrays, strict=True)
        }
        return unchecked(self.task.output, {"results": [result]}, {"_warning": ""})

    def facts(self) -> ModelFacts:
        """What the graph takes and gives."""
        return ModelFacts(runtime=self._runtime.told, tensors=self._signature.to_facts())

    def close(self) -> None:
        """Drop the graph."""
        self._graph = None


class GraphTensors(OnOnnxRuntime, TensorsOfGraph):
    """A folder's graph on ONNX Runtime."""

    def _run(self, names: list[str], feed: Arrays) -> list[Any]:
        tensors = (*self._signature.inputs, *self._signature.outputs)
        if all(tensor.datatype is not Datatype.BF16 for tensor in tensors):
            return super()._run(names, feed)
        return run_bits(self._graph.session, feed, self._signature.inputs, names)


def _declared(node: Any) -> GraphTensor:
    """What a graph says of an input or output. Raises ModelRefused for what OIP cannot say."""
    known = TYPES.get(node.type)
    if known is None:
        raise ModelRefused(f"{node.name!r} is a {node.type}, which no datatype of OIP holds")
    shape = tuple(axis if isinstance(axis, int) and axis >= 0 else -1 for axis in node.shape)
    return GraphTensor(node.name, known[0], shape)


def _company(signature: GraphSignature, why: str) -> Company:
    if not signature.batched:
        return Company("one-by-one", trouble=f"each request has a forward of its own: {why}")
    free = any(-1 in tensor.shape[1:] for tensor in signature.inputs)
    return Company("equal-length" if free else "padded")


def _first_line(error: Exception) -> str:
    return " ".join((str(error).splitlines() or [type(error).__name__])[0].split())[:500]
