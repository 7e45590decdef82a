"""What OpenVINO's CPU computes otherwise than a graph says, found before it is compiled.

It holds INT64, UINT32 and UINT64 in 32 bits with a sign, and computes much of what has to do with
whole numbers in float32, which has 24 bits. Where others go round, 8 bits saturate and 16 bits are
32 until they are an output; quotients of 8 bits are rounded. FP64 is float32. Texts it only passes
on. It says nothing of that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...base import ModelRefused

#: What integers of 32 and 64 bits may be where they are only moved, and where float32 has a part.
MOVED, COMPUTED = 2**31 - 1, 2**24 - 1

#: Operators that move what they are given: which operands that is; the others are indices, axes and
#: shapes.
_MOVES: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(("Reshape", "Squeeze", "Unsqueeze", "Transpose", "Tile", "Broadcast"), (0,)),
    **dict.fromkeys(("Split", "VariadicSplit", "Slice", "StridedSlice"), (0,)),
    **dict.fromkeys(("Identity", "Result"), (0,)),
    **dict.fromkeys(("Gather", "GatherElements", "GatherND"), (0,)),
    **dict.fromkeys(("ScatterUpdate", "ScatterElementsUpdate", "ScatterNDUpdate"), (0, 2)),
    "Select": (1, 2),
}

#: Operators whose answers are no greater than what they are given, so that what is held in 24 bits
#: stays exact.
_KEEPS = frozenset(
    {
        *("Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual"),
        *("Maximum", "Minimum", "Clamp", "ReduceMax", "ReduceMin", "TopK", "MaxPool", "NonZero"),
        *("Divide", "Mod", "FloorMod", "Relu", "Abs", "Sign", "Negative", "Pad"),
        "ReverseSequence",
    }
)

_CASTS = frozenset({"Convert", "ConvertLike"})

_EXACT_IN_FEW_BITS = {*_MOVES, "Concat", *_CASTS, *_KEEPS} - {"Divide", "Abs", "Negative"}

_SUMS = frozenset({"Add", "Subtract", "Multiply"})

_FEW_BITS = frozenset({"i8", "u8", "i16", "u16"})
_WIDE = frozenset({"i32", "i64", "u32", "u64"})
_WHOLE = _FEW_BITS | _WIDE

_REMEDY = "use backend onnxruntime"

#: How far what the inputs hold has come: no further than a bound, or to the ends of its type.
_BOUNDED, _ANY = 1, 2


def greatest_whole_number(model: Any) -> int:  # openvino ships no types
    """The greatest that inputs of 32 and 64 bits may be, so that answers are exact.

    Raises ModelRefused, by the tensor or operator, where OpenVINO would answer otherwise than the
    graph says.
    """
    for port in (*model.inputs, *model.outputs):
        kind = _kind(port)
        if kind in ("f64", "string"):
            names = sorted(port.get_names()) or [port.node.get_friendly_name()]
            why = "computes FP64 as FP32" if kind == "f64" else "computes with no BYTES"
            raise ModelRefused(f"{names[0]!r}: OpenVINO {why}; {_REMEDY}")
    walk = _Walk()
    walk.go(model, inputs=_BOUNDED)
    return walk.greatest


@dataclass
class _Walk:
    """What the outputs of the nodes seen so far hold of the inputs."""

    greatest: int = MOVED
    #: By node and output: how far whole numbers of the inputs have come; none has 0.
    _levels: dict[tuple[str, int], int] = field(default_factory=dict)
    #: Nodes that depend on what inputs hold, not only on their shapes.
    _valued: set[str] = field(default_factory=set)

    def go(self, model: Any, inputs: int) -> None:
        """Look at a graph, in the order in which it runs."""
        for node in model.get_ordered_ops():
            name, kinds = node.get_name(), [_kind(port) for port in node.outputs()]
            operator = node.get_type_name()
            if operator == "Parameter":
                self._valued.add(name)
                self._keep(name, kinds, inputs)
                continue
            ports = [value.get_source_output() for value in node.inputs()]
            if operator == "ShapeOf" or not any(p.node.get_name() in self._valued for p in ports):
                continue
            self._valued.add(name)
            self._check_kinds(node, operator, kinds)
            given = [self._level(port) for port in ports]
            self._look_into(node, given)
            self._keep(name, kinds, self._after(node, operator, ports, given))

    def _keep(self, name: str, kinds: Iterable[str], level: int) -> None:
        for place, kind in enumerate(kinds):
            self._levels[name, place] = level if kind in _WHOLE else 0

    def _level(self, port: Any) -> int:
        return self._levels.get((port.node.get_name(), port.get_index()), 0)

    def _check_kinds(self, node: Any, operator: str, kinds: Iterable[str]) -> None:
        for kind in kinds:
            if kind in ("f64", "string"):
                told = "FP64 as FP32" if kind == "f64" else "with no BYTES"
                raise _refused(node, told)
            if kind in _FEW_BITS and operator not in _EXACT_IN_FEW_BITS:
                raise _refused(node, "with 8 and 16 bits otherwise than ONNX")

    def _look_into(self, node: Any, given: Iterable[int]) -> None:
        bodies = _bodies(node)
        if bodies and any(given):
            raise _refused(node, "with whole numbers of the inputs in 32 bits at most")
        for body in bodies:
            _Walk().go(body, inputs=0)

    def _after(self, node: Any, operator: str, ports: list[Any], given: list[int]) -> int:
        """How far whole numbers have come behind an operator."""
        if operator in _MOVES and node.get_attributes().get("reduction", "none") == "none":
            places = _MOVES[operator]
            return max((given[place] for place in places if place < len(given)), default=0)
        if operator == "Concat" or not any(given):
            return max(given)
        wide = any(_kind(port) in _WIDE for port in ports)
        if operator in _SUMS:
            return self._summed(node, ports, given)
        if operator in _CASTS and (to := _kind(node.output(0))) != "boolean":
            if not _holds(to, _kind(ports[0])):
                raise _refused(node, "with whole numbers in 32 bits, with a sign")
            return given[0]
        if operator not in {*_KEEPS, *_CASTS} or (wide and max(given) == _ANY) or _is_far(ports):
            raise _refused(node, "with whole numbers in float32, which has 24 bits")
        if wide:
            self.greatest = COMPUTED
        return _BOUNDED

    def _summed(self, node: Any, ports: list[Any], given: list[int]) -> int:
        """32 bits go round as they do elsewhere; what has 64, or no sign, must not come to that."""
        kinds, operator = {_kind(port) for port in ports}, node.get_type_name()
        if kinds & {"i64", "u32", "u64"}:
            less = operator == "Subtract" and kinds & {"u32", "u64"}
            if operator == "Multiply" or less or max(given) == _ANY or _is_far(ports):
                raise _refused(node, "with whole numbers in 32 bits")
            self.greatest = COMPUTED
        return _ANY


def _kind(port: Any) -> str:
    kind: str = port.get_element_type().to_string()
    return kind


def _holds(to: str, kind: str) -> bool:
    """Whether a type holds all that OpenVINO holds of another."""
    if to not in _WHOLE:
        return True
    bits, from_bits = (min(int(each[1:]), 32) for each in (to, kind))
    if kind[0] == "i":
        return to[0] == "i" and bits >= from_bits
    return bits > from_bits or (bits == from_bits and (to[0] == "u" or bits == 32))


def _bodies(node: Any) -> list[Any]:
    """The graphs that an operator runs: those of If, Loop and Scan."""
    if hasattr(node, "get_then_body"):
        return [node.get_then_body(), node.get_else_body()]
    return [node.get_function()] if hasattr(node, "get_function") else []


def _is_far(ports: Iterable[Any]) -> bool:
    """Whether a constant among them has more than 24 bits."""
    constants = [port.node for port in ports if port.node.get_type_name() == "Constant"]
    whole = [node.data for node in constants if _kind(node.output(0)) in _WHOLE]
    return any(data.size and (data.max() > COMPUTED or data.min() < -COMPUTED) for data in whole)


def _refused(node: Any, told: str) -> ModelRefused:
    name, operator = node.get_friendly_name(), node.get_type_name()
    return ModelRefused(f"{operator} {name!r}: OpenVINO computes {told}; {_REMEDY}")
