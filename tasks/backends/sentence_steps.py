"""What modules of sentence-transformers do with text vectors once tokens are pooled."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from .base import ModelRefused
from .classify import sigmoid

Vectors = NDArray[np.float32]
#: (B, D) -> (B, D')
Step = Callable[[Vectors], Vectors]

#: Finds a file of the model's folder by its path within it; None where there is none.
Find = Callable[[str], str | None]

WEIGHTS_FILE = "model.safetensors"

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
    """A linear layer, its activation, and the input added to it where the config says so."""
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
    beside: Step = lambda x: x  # noqa: E731 # one of two
    if config.get("use_residual") and linear.shape[0] != linear.shape[1]:
        residual = _array(path, weights, "residual.weight")
        beside = lambda x: x @ residual.T  # noqa: E731 # the other

    def step(vectors: Vectors) -> Vectors:
        made = activation(vectors @ linear.T + bias)
        return made + beside(vectors) if config.get("use_residual") else made

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


def _weights(path: str, find: Find) -> Mapping[str, NDArray[Any]]:
    file = find(f"{path}/{WEIGHTS_FILE}")
    if file is None:
        raise ModelRefused(
            f"{path} holds no {WEIGHTS_FILE}; a pickle (pytorch_model.bin) is not loaded: where "
            "you trust it, load the model with sentence-transformers and save it again"
        )
    weights: Mapping[str, NDArray[Any]] = load_file(Path(file))
    return weights


def _array(path: str, weights: Mapping[str, NDArray[Any]], name: str) -> Vectors:
    if name not in weights:
        raise ModelRefused(f"{path}/{WEIGHTS_FILE} holds no {name}")
    return weights[name].astype(np.float32)
