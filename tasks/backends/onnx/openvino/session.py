"""A model that OpenVINO compiled, as `Graph` asks sessions of ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .library import openvino as ov

#: OpenVINO's types, as ONNX Runtime calls them.
_TYPES = {
    "boolean": "tensor(bool)",
    "bf16": "tensor(bfloat16)",
    "f16": "tensor(float16)",
    "f32": "tensor(float)",
    "f64": "tensor(double)",
    **{f"i{bits}": f"tensor(int{bits})" for bits in (8, 16, 32, 64)},
    **{f"u{bits}": f"tensor(uint{bits})" for bits in (8, 16, 32, 64)},
}

_BFLOAT16 = _TYPES["bf16"]


class Node(NamedTuple):
    """An input or output: its axes are numbers, or None where they are free."""

    name: str
    shape: list[int | None]
    type: str


class OpenVinoSession:
    """Runs what `compile_model` makes, made anew for the run after one that failed. Several threads
    may call it. Of bfloat16, which numpy has not, arrays hold the bits.
    """

    def __init__(
        self, compile_model: Callable[[], Any], metadata: Mapping[str, str], seen: Any = None
    ) -> None:
        self._compile = compile_model
        #: What was found in the graph before it was compiled.
        self.seen = seen
        #: None after a run that failed.
        self.compiled: Any = compile_model()
        self._metadata = dict(metadata)
        self._inputs = [_node(port) for port in self.compiled.inputs]
        self._outputs = [_node(port) for port in self.compiled.outputs]
        self._places = {node.name: place for place, node in enumerate(self._outputs)}
        #: Requests at rest: each holds the memory of a run, and serves one at a time.
        self._requests: list[Any] = []

    def get_inputs(self) -> list[Node]:
        """What it takes."""
        return self._inputs

    def get_outputs(self) -> list[Node]:
        """What it gives."""
        return self._outputs

    def get_modelmeta(self) -> Any:
        """What the exporter wrote down."""
        return SimpleNamespace(custom_metadata_map=self._metadata)

    def run(self, outputs: Sequence[str] | None, feed: Mapping[str, NDArray[Any]]) -> list[Any]:
        """These outputs, or all of them, in order. Raises ValueError where an input is missing."""
        missing = [node.name for node in self._inputs if node.name not in feed]
        if missing:  # a request would take what it was given last
            raise ValueError(f"the graph also takes {', '.join(missing)}")
        requests = self._requests
        try:
            request = requests.pop()
        except IndexError:
            request = self._anew().create_infer_request()
        try:
            # Its `infer` is silent about a run that failed, and gives what the last one gave.
            given = self._given(feed)  # which the request reads while it runs
            request.start_async(given, share_inputs=True)
            request.wait()
        except Exception:
            # The next run of what it was compiled to would give shapes of this one. It is compiled
            # again when it is needed: here that may fail, too, and would hide why the run did.
            self.compiled, self._requests = None, []
            raise
        names = outputs or [node.name for node in self._outputs]
        values = [_taken(request.get_output_tensor(self._places[name])) for name in names]
        requests.append(request)
        return values

    def _given(self, feed: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
        """What a request takes as it is: bits of bfloat16 in a tensor of its own, and an array
        without axes that may be written, as it asks of these alone.
        """
        given: dict[str, Any] = {
            name: array if array.ndim else array.copy() for name, array in feed.items()
        }
        for node in self._inputs:
            if node.type == _BFLOAT16:
                given[node.name] = tensor = ov.Tensor(ov.Type.bf16, feed[node.name].shape)
                tensor.data.view(np.uint16)[...] = feed[node.name]
        return given

    def _anew(self) -> Any:
        """What it is compiled to, again where a run failed."""
        compiled = self.compiled or self._compile()
        self.compiled = compiled
        return compiled


def _taken(tensor: Any) -> NDArray[Any]:
    """An output as an array of its own."""
    array: NDArray[Any] = tensor.data.copy()
    return array.view(np.uint16) if tensor.element_type == ov.Type.bf16 else array


def _node(port: Any) -> Node:
    """A port by its tensor's name; where that has several, by its node's, which is one of them."""
    names = port.get_names()
    own, _, _ = port.node.get_friendly_name().partition("/sink_port_")
    name = own if own in names or not names else min(names)
    shape = [axis.get_length() if axis.is_static else None for axis in port.get_partial_shape()]
    kind: str = port.get_element_type().to_string()
    return Node(name, shape, _TYPES.get(kind, kind))
