"""The protocols that endpoints speak, a file each."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a declaration is checked where no client is installed
    from .base import Protocol

#: protocol -> module:class. Modules load when an endpoint is made: gRPC needs a package.
_TABLE = {
    "oip": "oip:OpenInference",
    "oip-grpc": "oip_grpc:OpenInferenceGrpc",
    "openai": "openai:OpenAI",
    "huggingface": "huggingface:HuggingFace",
}

#: protocol -> the tasks that it has words for; those that are not here do every task.
TASKS: dict[str, tuple[str, ...]] = {
    "openai": (
        "automatic-speech-recognition",
        "chat",
        "embedding",
        "image-text-to-text",
        "text-generation",
    ),
    "huggingface": (
        "audio-classification",
        "automatic-speech-recognition",
        "embedding",
        "image-classification",
        "object-detection",
        "summarization",
        "text-classification",
        "translation",
        "zero-shot-classification",
    ),
}


def protocols() -> tuple[str, ...]:
    """Their names."""
    return tuple(_TABLE)


def protocol_class(name: str) -> type[Protocol]:
    """The class of a protocol. Raises KeyError."""
    module, _, cls = _TABLE[name].partition(":")
    found: type[Protocol] = getattr(importlib.import_module(f".{module}", __package__), cls)
    return found
