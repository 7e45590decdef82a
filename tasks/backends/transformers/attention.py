"""How attention is computed: what transformers calls `attn_implementation`."""

from __future__ import annotations

import importlib.util

import torch

from ..base import ModelRefused

#: Those that can be asked for, beside transformers' own choice.
ATTENTIONS = ("eager", "sdpa", "flash_attention_2")


def check_attention(name: str, dtype: torch.dtype, place: str) -> None:
    """Raise ModelRefused for an attention that is none, or that this machine has not.

    Without its package, transformers would fetch one from a hub in its stead.
    """
    if name and name not in ATTENTIONS:
        raise ModelRefused(f"attention {name!r}: use {', '.join(ATTENTIONS)}")
    if name != "flash_attention_2":
        return
    if not place.startswith("cuda"):
        raise ModelRefused(f"attention {name!r} needs a GPU with CUDA, and not {place}: use sdpa")
    if importlib.util.find_spec("flash_attn") is None:
        raise ModelRefused(f"attention {name!r} needs flash-attn: pip install flash-attn, or sdpa")
    if dtype == torch.float32:
        raise ModelRefused(f"attention {name!r} computes in half precision: set dtype to bfloat16")


def attention_fault(error: Exception, name: str) -> str:
    """What transformers' error says of an attention that a model has not; "" where it is about
    another thing.
    """
    if name and "attention" in str(error).lower():
        said, _, _ = " ".join(str(error).split()).partition(". ")
        return f"attention {name!r}: {said}; use another, or leave it out"
    return ""
