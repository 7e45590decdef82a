"""Decoders that write token by token, with or without a memory of the tokens before.

With one, a first graph reads a prompt and gives what attention computed of it: present.N.… , keys
and values (B, heads, T, D / heads). Then a later graph takes those as past_key_values.N.… with one
token more. Both may be one graph: it takes an empty past, or is told by use_cache_branch which half
of it to run (decoder_model_merged.onnx). Without a memory all tokens are read anew for each.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base import ModelRefused
from .checks import finite
from .graph import Arrays, Graph, needs
from .model import OnnxModel

_FIRST, _LATER, _MERGED = (
    "decoder_model.onnx",
    "decoder_with_past_model.onnx",
    "decoder_model_merged.onnx",
)
_PRESENT, _PAST, _BRANCH = "present", "past_key_values", "use_cache_branch"

#: How many of the last places to answer the logits of, in graphs that ask: 0 is all.
_KEPT = {"num_logits_to_keep": np.array(0)}


class Decoder:
    """The graph that reads, and the one that goes on; None where it keeps no memory.

    Raises ModelRefused where they lack an input or `logits`, or do not fit together.
    """

    def __init__(self, first: Graph, later: Graph | None, *, takes: Set[str]) -> None:
        needs(first, takes, "logits")
        self._first, self._later = first, later
        if later is None:
            return
        needs(later, {"input_ids"}, "logits")
        pasts = {name for name in later.inputs if name.startswith(_PAST)}
        missing = pasts - {_renamed(name) for name in first.outputs}
        if missing:
            raise ModelRefused(
                f"{later.path.name} takes {', '.join(sorted(missing))}, "
                f"which {first.path.name} does not give"
            )
        for name in pasts:
            if len(later.inputs[name]) not in (0, 4):
                raise ModelRefused(
                    f"{later.path.name}: {name} {[*later.inputs[name]]} is not (B, heads, T, D)"
                )

    @classmethod
    def beside_an_encoder(cls, model: OnnxModel) -> Decoder:
        """The decoder that hears what an encoder_model.onnx made: one merged graph, or two."""
        takes = {"input_ids", "encoder_hidden_states"}
        if model.has(_MERGED):  # its weights are in memory once
            merged = model.open(_MERGED)
            return cls(merged, merged, takes=takes)
        later = model.open(_LATER) if model.has(_LATER) else None
        return cls(model.open(_FIRST), later, takes=takes)

    @classmethod
    def alone(cls, model: OnnxModel) -> Decoder:
        """The decoder that a folder's graph is, with the one that goes on where they are two."""
        first, later = model.graph, None
        if any(name.startswith(_PAST) for name in first.inputs):
            later = first
        elif first.path.name.startswith("decoder_model") and model.has(_LATER):
            later = model.open(_LATER)
        return cls(first, later, takes={"input_ids"})

    @property
    def remembers(self) -> bool:
        """Whether a later step needs the new tokens alone."""
        return self._later is not None

    @property
    def rows_alone(self) -> bool:
        """Whether each row must be written by itself."""
        return self._first.rows_alone or (self._later is not None and self._later.rows_alone)

    def inputs(self) -> set[str]:
        """What it must be fed with, but for its memory."""
        graphs = [self._first, *([self._later] if self._later else [])]
        known = {_BRANCH, *_KEPT}
        names = {name for graph in graphs for name in graph.inputs} - known
        return {name for name in names if not name.startswith(_PAST)}

    def step(self, arrays: Arrays, past: Arrays) -> tuple[NDArray[np.float32], Arrays]:
        """Logits (B, T, V) of the tokens that are given, and the past of the next ones.

        input_ids: (B, T), all of them where there is no past, else the new ones.
        """
        graph = self._later if past and self._later else self._first
        shared: dict[str, NDArray[Any]] = {_BRANCH: np.array([bool(past)]), **_KEPT}
        before = past or _nothing(graph, len(arrays["input_ids"]))
        out = graph.run_rows({**arrays, **before}, shared=shared)
        return finite(out["logits"], "logits"), self._remembered(out, past) if self._later else {}

    def _remembered(self, out: Arrays, past: Arrays) -> dict[str, NDArray[Any]]:
        new = {_renamed(name): array for name, array in out.items() if name.startswith(_PRESENT)}
        # What the encoder made stays as it is; a merged graph answers nothing for it then.
        kept = {name: array for name, array in past.items() if ".encoder." in name}
        return {**past, **new, **kept}


def _nothing(graph: Graph, rows: int) -> Arrays:
    """The past of a first token: of no length."""
    return {
        name: np.zeros([rows, *(n if isinstance(n, int) else 0 for n in axes[1:])], np.float32)
        for name, axes in graph.inputs.items()
        if name.startswith(_PAST)
    }


def _renamed(name: str) -> str:
    """What is a present is the past of the next token."""
    return name.replace(_PRESENT, _PAST, 1)
