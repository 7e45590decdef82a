"""Backends: how tasks are done. The one place that may import torch, transformers, onnxruntime."""

from __future__ import annotations

import importlib
from typing import Any

from ..registry import get_task, task_names
from .base import Backend
from .device import Device

#: backend -> task -> module:class. Modules load when a backend is made.
_TABLE: dict[str, dict[str, str]] = {
    "stub": dict.fromkeys(task_names(), "stub:Stub"),
    "transformers": {
        "embedding": "transformers.embedding:Embedding",
        "image-classification": "transformers.image_classification:ImageClassification",
        "object-detection": "transformers.object_detection:ObjectDetection",
    },
    "onnxruntime": {
        "embedding": "onnx.embedding:Embedding",
        "image-classification": "onnx.image_classification:ImageClassification",
        "object-detection": "onnx.object_detection:ObjectDetection",
    },
}

#: backend -> the extra that brings its packages.
_EXTRAS = {"stub": "worker", "transformers": "transformers", "onnxruntime": "onnx"}


def backend_table() -> dict[str, list[str]]:
    """Per backend, the tasks it can do."""
    return {backend: list(tasks) for backend, tasks in _TABLE.items()}


def create_backend(
    name: str, task_name: str, source: str | None, *, device: Device, **parameters: Any
) -> Backend:
    """Make a backend for a task; nothing is loaded yet.

    Raises ValueError for an unknown backend or task, or a parameter the backend does not take;
    ModuleNotFoundError that names the extra to install when a package is missing.
    """
    task = get_task(task_name)
    if name not in _TABLE:
        raise ValueError(f"unknown backend {name!r}; there are {', '.join(_TABLE)}")
    if task_name not in _TABLE[name]:
        raise ValueError(f"backend {name!r} cannot do {task_name!r}")
    module, _, cls = _TABLE[name][task_name].partition(":")
    try:
        made = getattr(importlib.import_module(f".{module}", __package__), cls)
    except ModuleNotFoundError as error:
        hint = f"backend {name!r} needs {error.name}: pip install 'wherry[{_EXTRAS[name]}]'"
        raise ModuleNotFoundError(hint, name=error.name) from error
    try:
        backend: Backend = made(task, source, device=device, **parameters)
    except TypeError as error:
        raise ValueError(f"backend {name!r} for {task_name!r}: {error}") from error
    return backend
