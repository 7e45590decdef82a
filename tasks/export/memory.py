"""What decoders remember, as tensors named by Optimum: present.N.key comes out of a step, and is
past_key_values.N.key of the next; behind an encoder .decoder or .encoder stands before .key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
import transformers as hf

from .graphs import Axes

Tensors = dict[str, torch.Tensor]

PRESENT, PAST = "present", "past_key_values"

#: The third axis of keys and values, of the tokens written and of what an encoder read.
_LENGTHS = {PRESENT: "length", PAST: "past"}

#: Of a decoder that stands alone.
ALONE = ("",)


def axes(form: str, layers: Iterable[int], sides: Iterable[str], **heard: str) -> dict[str, Axes]:
    """The free axes of all keys and values, by name; `heard` names the encoder's, if that is
    free.
    """
    encoder: Axes = {0: "batch", **({2: heard["encoder"]} if heard else {})}
    return {
        name: encoder if ".encoder." in name else {0: "batch", 2: _LENGTHS[form]}
        for layer in layers
        for side in sides
        for name in _names(form, layer, side)
    }


def cached(tensors: Mapping[str, torch.Tensor], layers: Iterable[int], side: str) -> Any:
    """The cache of one side that a step's inputs hold."""
    pairs = [tuple(tensors[name] for name in _names(PAST, layer, side)) for layer in layers]
    return hf.DynamicCache(pairs)


def present(cache: Any, side: str) -> Tensors:
    """One side's keys and values as a step gives them."""
    return {
        name: tensor
        for n, layer in enumerate(cache.layers)
        for name, tensor in zip(_names(PRESENT, n, side), (layer.keys, layer.values), strict=True)
    }


def causal(length: int, past: int) -> torch.Tensor:
    """What tokens must not look at, (T, past + T): added to their scores, the least number there is
    for those after them. A model's own mask asks whether texts are packed, in an operator that
    ONNX lacks.
    """
    return torch.ones(length, past + length).triu(past + 1) * torch.finfo(torch.float32).min


def _names(form: str, layer: int, side: str) -> tuple[str, str]:
    stem = f"{form}.{layer}" + (f".{side}" if side else "")
    return f"{stem}.key", f"{stem}.value"
