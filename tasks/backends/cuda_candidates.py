"""What a model may be served with on a GPU: which backend, with which parameters."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

_CUDA, _TENSORRT = "CUDAExecutionProvider", "TensorrtExecutionProvider"


class CudaCandidate(NamedTuple):
    """A backend, and what it is given to be tried."""

    backend: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CudaFacts:
    """What is on a GPU, and installed for it: `providers` are ONNX Runtime's."""

    bfloat16: bool
    flash_attention: bool
    providers: Collection[str] = field(default=())

    @classmethod
    def here(cls) -> CudaFacts | None:
        """Of this machine; None where torch finds no GPU. Imports the runtimes."""
        import torch

        if not torch.cuda.is_available():
            return None
        flash = importlib.util.find_spec("flash_attn") is not None
        providers: list[str] = []
        if importlib.util.find_spec("onnxruntime") is not None:
            import onnxruntime

            providers = onnxruntime.get_available_providers()
        return cls(torch.cuda.is_bf16_supported(), flash, providers)


def cuda_candidates(facts: CudaFacts, *, exact: bool) -> list[CudaCandidate]:
    """All that may be tried, those likely to be fastest first.

    `exact`: in float32 alone. Graphs are in float32 whatever is asked, and TensorRT with them.
    """
    dtypes = ["float32"] if exact else [*(["bfloat16"] if facts.bfloat16 else []), "float16"]
    found = []
    for dtype in dtypes:
        flash = ["flash_attention_2"] if facts.flash_attention and dtype != "float32" else []
        found += [
            CudaCandidate("transformers", {"dtype": dtype, "attention": attention})
            for attention in [*flash, "sdpa", "eager"]
        ]
    if _TENSORRT in facts.providers:
        found.append(CudaCandidate("onnxruntime", {"providers": [_TENSORRT]}))
    if _CUDA in facts.providers:
        found.append(CudaCandidate("onnxruntime", {}))
    return found
