"""Whether the first axis of a graph counts rows, found by trying."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....protocol.datatypes import Datatype
from ...graph_signature import GraphSignature, GraphTensor
from .graph import Graph
from .tensor_arrays import TYPES

#: What free axes beside the first are tried with, until the graph runs.
_SIZES = (8, 64, 224, 2, 1)

#: Rows that are tried together.
_ROWS = 3

#: How far a number may be in company from what it is alone, in parts of the greatest.
_TOLERANCE = 1e-3

_NUMPY = dict(TYPES.values())

Run = Callable[[dict[str, NDArray[Any]]], list[NDArray[Any]]]


def why_not_batched(
    graph: Graph, signature: GraphSignature, run: Run
) -> tuple[str, tuple[GraphTensor, ...]]:
    """Why the first axis counts no rows, "" where it does; and the outputs, with the axes that
    the graph does not tell of. What begins with "its" cannot be helped.
    """
    outputs = signature.outputs
    fixed = [t.name for t in signature.inputs if t.shape[:1] != (-1,)]
    fixed += [t.name for t in outputs if t.shape and t.shape[0] != -1]
    why = f"its first axis of {', '.join(fixed)} is fixed" if fixed else ""
    if graph.rows_alone and not why:
        why = "it quantises as it runs, by the greatest number among all rows"
    ran = next(_runs(signature, run, rows=1 if not fixed else None), None)
    if ran is None:
        return why or "it took nothing of what was tried", outputs
    feed, found = ran
    told = tuple(
        tensor if len(tensor.shape) == array.ndim else replace(tensor, shape=(-1,) * array.ndim)
        for tensor, array in zip(outputs, found, strict=True)
    )
    return why or _why_apart(feed, found, run), told


def _why_apart(feed: dict[str, NDArray[Any]], alone: Sequence[NDArray[Any]], run: Run) -> str:
    """Compare a row that was answered alone with the same between others."""
    if any(array.shape[:1] != (1,) for array in alone):
        return "its outputs have no axis of rows"
    rng = np.random.default_rng(1)
    more = {name: [_values(rng, array) for _ in range(_ROWS - 1)] for name, array in feed.items()}
    together = {
        name: np.concatenate([more[name][0], array, *more[name][1:]])
        for name, array in feed.items()
    }
    try:
        beside = run(together)
    except Exception as error:  # the runtime's exceptions share no other base
        return f"it takes no {_ROWS} rows: {(str(error).splitlines() or [''])[0][:200]}"
    if any(array.shape[:1] != (_ROWS,) for array in beside):
        return f"it answers other than {_ROWS} rows where {_ROWS} are asked"
    if not all(_is_like(one, many[1:2]) for one, many in zip(alone, beside, strict=True)):
        return "a row is answered otherwise beside others"
    return ""


def _is_like(alone: NDArray[Any], beside: NDArray[Any]) -> bool:
    if alone.shape != beside.shape or alone.dtype.kind != "f":
        return alone.shape == beside.shape and bool(np.all(alone == beside))
    wide, other = alone.astype(np.float64), beside.astype(np.float64)
    most = float(np.max(np.abs(wide), initial=0.0, where=np.isfinite(wide)))
    return bool(np.allclose(wide, other, rtol=0, atol=_TOLERANCE * max(most, 1e-6), equal_nan=True))


def _runs(
    signature: GraphSignature, run: Run, rows: int | None
) -> Iterator[tuple[dict[str, NDArray[Any]], list[NDArray[Any]]]]:
    """Feeds that the graph takes, and what it answers; of `rows` in their first axis."""
    rng = np.random.default_rng(0)
    for size in _SIZES:
        feed = {}
        for tensor in signature.inputs:
            shape = [size if axis < 0 else axis for axis in tensor.shape]
            if rows is not None:
                shape[0] = rows
            feed[tensor.name] = _values(rng, np.empty(shape, _NUMPY[tensor.datatype]))
            if tensor.datatype is Datatype.BF16:
                feed[tensor.name] = _bfloat16(rng, tuple(shape))
        try:
            yield feed, run(feed)
        except Exception:  # noqa: S112 # other sizes may do
            continue


def _values(rng: np.random.Generator, like: NDArray[Any]) -> NDArray[Any]:
    """Numbers that are probably no nonsense: small, as indices are, texts short."""
    kind = like.dtype.kind
    if kind == "f":
        return rng.random(like.shape).astype(like.dtype)
    bits = rng.integers(0, 2, like.shape)
    if kind == "O":
        return np.array(["a", "b"], object)[bits]
    return bits.astype(like.dtype)


def _bfloat16(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    wide: NDArray[Any] = rng.random(shape).astype(np.float32).view(np.uint32)
    return (wide >> 16).astype(np.uint16)
