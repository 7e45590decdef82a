"""A torch module as an ONNX file, and a check that the two agree."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime as ort
import torch

#: Which axes of a tensor may have any length, with their names.
Axes = Mapping[int, str]

#: A batch of so many rows, each tensor by its name.
Sample = Callable[[int], dict[str, torch.Tensor]]

_OPSET = 17

#: How models are loaded: float32 whatever their files hold, attention in operators that ONNX has.
LOADING: dict[str, Any] = {
    "attn_implementation": "eager",
    "dtype": torch.float32,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What goes into a graph and what comes out."""

    #: Makes inputs to trace with, and others to check with.
    sample: Sample
    inputs: Mapping[str, Axes]
    outputs: Mapping[str, Axes]


class _Named(torch.nn.Module):
    """A model as the exporter wants it: tensors in, tensors out."""

    def __init__(self, call: Callable[..., Any], model: torch.nn.Module, signature: Signature):  # noqa: ANN204 # pydocstyle's and mypy's own
        super().__init__()
        self._call, self.model = call, model
        self._inputs, self._outputs = tuple(signature.inputs), tuple(signature.outputs)

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        out = self._call(**dict(zip(self._inputs, tensors, strict=True)))
        return tuple(out[name] for name in self._outputs)


def write(
    path: Path,
    model: Any,  # transformers loads its classes at run time
    signature: Signature,
    *,
    call: Callable[..., Any] | None = None,
) -> float:
    """Trace a model (or `call`, a function of it) into a file. Answers the greatest difference
    between its outputs and the file's.
    """
    named = trace(path, model, signature, call=call)
    return max(_difference(path, named, signature, rows) for rows in (1, 3))


def trace(
    path: Path,
    model: Any,  # transformers loads its classes at run time
    signature: Signature,
    *,
    call: Callable[..., Any] | None = None,
) -> _Named:
    """Trace without a comparison, for models that draw noise. Answers what was traced."""
    named = _Named(call or model, model, signature).eval()
    traced = signature.sample(2)
    with torch.inference_mode(), warnings.catch_warnings():
        # The exporter that traces is the older one, and 20 times faster; it warns of each shape.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            named,
            tuple(traced[name] for name in signature.inputs),
            str(path),
            input_names=list(signature.inputs),
            output_names=list(signature.outputs),
            dynamic_axes={**signature.inputs, **signature.outputs},
            opset_version=_OPSET,
            dynamo=False,
        )
    return named


def _difference(path: Path, named: _Named, signature: Signature, rows: int) -> float:
    sample = signature.sample(rows)
    tensors = [sample[name] for name in signature.inputs]
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    feed = {name: t.numpy() for name, t in zip(signature.inputs, tensors, strict=True)}
    found: Sequence[Any] = session.run(None, feed)
    with torch.inference_mode():
        own = named(*tensors)
    return max(
        float((torch.from_numpy(one) - other).abs().max())
        for one, other in zip(found, own, strict=True)
    )
