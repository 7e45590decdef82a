"""What modules of sentence-transformers do with text vectors once tokens are pooled."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize

from ..base import ModelRefused
from ..classify import sigmoid

Vectors = NDArray[np.float32]
#: (B, D) -> (B, D')
Step = Callable[[Vectors], Vectors]

#: Finds a file of the model's folder by its path within it; None where there is none.
Find = Callable[[str], str | None]

WEIGHTS_FILE = "model.safetensors"

#: Types of a file's tensors, as numpy names them.
_FLOATS = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}

#: torch's default.
_EPSILON = 1e-5

_ERF = np.vectorize(math.erf, otypes=[np.float32])

#: torch.nn's class -> what it does.
_ACTIVATIONS: dict[str, Step] = {
    "GELU": lambda x: x * (1 + _ERF(x / np.sqrt(2))) / 2,
    "Identity": lambda x: x,
    "ReLU": lambda x: np.maximum(x, 0),
    "SiLU": lambda x: x * sigmoid(x),
    "Sigmoid": sigmoid,
    "Tanh": np.tanh,
}


def dense(path: str, config: Mapping[str, Any], find: Find) -> Step:
    """A linear layer, its activation, and the input added to it where the config says so.

    Raises ModelRefused for an activation that is not served.
    """
    told = str(config.get("activation_function") or "torch.nn.Tanh")
    home, _, name = told.rpartition(".")
    activation = _ACTIVATIONS.get(name)
    if activation is None or not home.startswith("torch.nn"):
        raise ModelRefused(
            f"{path}: the activation {told} is not served, only {', '.join(_ACTIVATIONS)} of torch"
        )
    weights = _weights(path, find)
    linear = _array(path, weights, "linear.weight")  # (D', D)
    bias = _array(path, weights, "linear.bias") if config.get("bias", True) else np.float32(0)
    residual: Vectors | None = None  # (D', D)
    if config.get("use_residual"):
        same = linear.shape[0] == linear.shape[1]
        residual = (
            np.eye(len(linear), dtype=np.float32)
            if same
            else _array(path, weights, "residual.weight")
        )

    def step(vectors: Vectors) -> Vectors:
        made: Vectors = activation(vectors @ linear.T + bias)
        if residual is not None:
            made += vectors @ residual.T
        return made

    return step


def layer_norm(path: str, config: Mapping[str, Any], find: Find) -> Step:  # noqa: ARG001 # it is all in the weights
    """Mean 0 and variance 1 over each vector, then a weight and a bias for each number."""
    weights = _weights(path, find)
    weight, bias = (_array(path, weights, f"norm.{name}") for name in ("weight", "bias"))

    def step(vectors: Vectors) -> Vectors:
        centred = vectors - vectors.mean(1, keepdims=True)
        scaled: Vectors = centred / np.sqrt((centred**2).mean(1, keepdims=True) + _EPSILON)
        return scaled * weight + bias

    return step


def normalize(vectors: Vectors) -> Vectors:
    """Vectors of length 1."""
    unit: Vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit


def layer_weights(path: str, find: Find) -> Vectors:
    """How much each layer's states count, (layers,)."""
    return _array(path, _weights(path, find), "layer_weights")


def _weights(path: str, find: Find) -> Mapping[str, Vectors]:
    file = find(f"{path}/{WEIGHTS_FILE}")
    if file is None:
        raise ModelRefused(
            f"{path} holds no {WEIGHTS_FILE}; a pickle (pytorch_model.bin) is not loaded: where "
            "you trust it, load the model with sentence-transformers and save it again"
        )
    try:
        parts = deserialize(Path(file).read_bytes())  # type: ignore[no-untyped-call] # it is Rust
        return {name: _floats(part) for name, part in parts}
    except (SafetensorError, KeyError, ValueError) as error:
        raise ModelRefused(f"{path}/{WEIGHTS_FILE} cannot be read: {error}") from error


def _floats(part: Mapping[str, Any]) -> Vectors:
    """Numpy knows no bfloat16, which is the upper half of a float32."""
    if part["dtype"] == "BF16":
        values = (np.frombuffer(part["data"], "<u2").astype("<u4") << 16).view("<f4")
    else:
        values = np.frombuffer(part["data"], _FLOATS[part["dtype"]])
    floats: Vectors = values.reshape(part["shape"]).astype(np.float32)
    return floats


def _array(path: str, weights: Mapping[str, Vectors], name: str) -> Vectors:
    if name not in weights:
        raise ModelRefused(f"{path}/{WEIGHTS_FILE} holds no {name}")
    return weights[name]
