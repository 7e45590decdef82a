from __future__ import annotations

import mmap
from collections.abc import Callable, Mapping, Sequence, Set
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....protocol.errors import OutOfMemory
from ..base import ModelRefused
from ..cores import usable_cores
from ..device import Device
from .checks import finite
from .runtime import Runtime

#: Axes of an input or output: a number where it is fixed, a name or None where it is free; empty
#: where the graph does not tell.
Shape = tuple[int | str | None, ...]
Shapes = Mapping[str, Shape]

Arrays = Mapping[str, NDArray[Any]]

_DTYPES = {
    "tensor(bool)": np.bool_,
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(uint8)": np.uint8,
}

#: Operators that scale a tensor by its own greatest value, and so each row by the others'.
_DYNAMIC = b"DynamicQuantize"

#: Operators that draw noise: their seed is their session's.
_RANDOM = b"RandomNormal"

_MEMORY_WORDS = (
    *("allocate memory", "out of memory", "bad allocation"),
    *("bad_alloc", "failed to allocate", "could not allocate"),
)


class Graph:
    """An ONNX file on a device. `threads` bounds its threads; 0 takes every core it may use.

    Raises ModelRefused for a file that its runtime cannot open, or a device it cannot use.
    """

    def __init__(
        self,
        path: Path,
        device: Device,
        *,
        runtime: Runtime,
        threads: int = 0,
    ) -> None:
        self.path, self._device = path, device
        # The runtime's own default counts cores that the process may not use.
        self.session = runtime.open(path, device, threads or usable_cores())
        taken, given = self.session.get_inputs(), self.session.get_outputs()
        self.inputs: dict[str, Shape] = {node.name: tuple(node.shape) for node in taken}
        self.outputs: dict[str, Shape] = {node.name: tuple(node.shape) for node in given}
        self._types = {node.name: _DTYPES.get(node.type) for node in taken}
        #: Whether each row must run by itself, unpadded, to answer the same in any company.
        self.rows_alone = _mentions(path, _DYNAMIC)
        #: Whether it draws random numbers of its own.
        self.draws = _mentions(path, _RANDOM)
        #: What the exporter wrote down, such as the names of classes.
        self.metadata: dict[str, str] = dict(self.session.get_modelmeta().custom_metadata_map or {})

    def rewire(self, names: Mapping[str, str], outputs: Sequence[str], last: Set[str]) -> None:
        """Call inputs and outputs as a dialect does: its name for each of the graph's own that
        differs. Of the outputs, these are read, if any are named. Own inputs of `last` take
        (B, H, W, C), and are fed (B, C, H, W) from now on.
        """
        inputs, given, types = self.inputs, self.outputs, self._types
        chosen = [*outputs] or [*given]
        self.session = Rewired(
            self.session, {names.get(name, name): name for name in inputs}, chosen, last
        )
        self.inputs = {
            names.get(name, name): (axes[0], axes[3], axes[1], axes[2]) if name in last else axes
            for name, axes in inputs.items()
        }
        self.outputs = {names.get(name, name): given[name] for name in chosen}
        self._types = {names.get(name, name): kind for name, kind in types.items()}

    def fixed_rows(self, name: str) -> int | None:
        """How many rows an input takes at once; None where it takes any number."""
        axis = self.inputs[name][0] if self.inputs[name] else None
        return axis if isinstance(axis, int) else None

    def takes_integers(self, name: str) -> bool:
        """Whether an input takes whole numbers, as images of 0 to 255 are."""
        kind = self._types[name]
        return kind is not None and np.dtype(kind).kind in "iu"

    def read(self, output: str, arrays: Arrays) -> NDArray[Any]:
        """One output of `run_rows`. Raises BackendError where it holds what is no number."""
        return finite(self.run_rows(arrays)[output], output)

    def run(self, arrays: Arrays) -> dict[str, NDArray[Any]]:
        """One run of the graph while holding the device. Arrays take the graph's types, those it
        has no input for are left out, and floats come back as float32. Raises OutOfMemory.
        """
        feed = {
            name: array.astype(self._types[name] or array.dtype, copy=False)
            for name, array in arrays.items()
            if name in self.inputs
        }
        values = self.run_as_is(self.session.run, feed)
        return {
            name: array.astype(np.float32, copy=False) if array.dtype.kind == "f" else array
            for name, array in zip(self.outputs, map(np.asarray, values), strict=True)
        }

    def run_as_is(
        self, run: Callable[..., Any], feed: Arrays, names: Sequence[str] | None = None
    ) -> list[Any]:
        """One run while holding the device: arrays of the graph's own types, outputs in order.

        Raises OutOfMemory.
        """
        try:
            with self._device.compute():
                values: list[Any] = run(names, feed)
        except Exception as error:
            # The runtime's exceptions share no base but Exception; the text alone tells.
            if any(words in str(error).lower() for words in _MEMORY_WORDS):
                raise OutOfMemory from error
            raise
        return values

    def run_rows(
        self, arrays: Arrays, *, shared: Arrays = MappingProxyType({})
    ) -> dict[str, NDArray[Any]]:
        """Run arrays whose first axis is the batch: in one run, or, where the graph's batch is
        fixed, in as many as that takes. The last is filled up with its last row. What all rows
        share is `shared`.
        """
        feed = {name: array for name, array in arrays.items() if name in self.inputs}
        fixed = next((n for name in feed if (n := self.fixed_rows(name))), None)
        fixed = fixed or (1 if self.rows_alone else None)
        count = len(next(iter(feed.values())))
        if fixed is None or fixed == count:
            return self.run({**feed, **shared})
        runs = []
        for start in range(0, count, fixed):
            rows = np.arange(start, start + fixed).clip(max=count - 1)
            own = {name: array[rows] for name, array in feed.items()}
            runs.append(self.run({**own, **shared}))
        return {name: np.concatenate([run[name] for run in runs])[:count] for name in self.outputs}


class Rewired:
    """A session under other names; `last` are inputs of its own whose channels are last."""

    def __init__(
        self, session: Any, own: Mapping[str, str], outputs: Sequence[str], last: Set[str]
    ) -> None:
        self._session, self._own, self._outputs, self._last = session, own, [*outputs], last

    def run(self, _: None, feed: Arrays) -> list[Any]:
        """The outputs that are read, in their order."""
        own = {self._own[name]: array for name, array in feed.items()}
        images = {name: own[name].transpose(0, 2, 3, 1) for name in self._last & own.keys()}
        answer: list[Any] = self._session.run(self._outputs, {**own, **images})
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def needs(graph: Graph, inputs: Set[str], output: str) -> None:
    """Raise ModelRefused where a graph has not these inputs, and this output besides others."""
    if not (inputs <= {*graph.inputs} and output in graph.outputs):
        raise ModelRefused(
            f"{graph.path}: expected {', '.join(sorted(inputs))} -> {output}, got "
            f"{', '.join(graph.inputs)} -> {', '.join(graph.outputs)}"
        )


def _mentions(path: Path, word: bytes) -> bool:
    """Whether a file holds a word: operators stand in it by name. onnx would have to parse it."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(word) >= 0
