"""Pixano's provider interface, and a provider over the fleet."""

from .errors import (
    InferenceError,
    InferenceTimeoutError,
    InvalidRequestError,
    ModelNotFoundError,
    ProviderConnectionError,
    ProviderNotFoundError,
    TaskNotSupportedError,
)
from .provider import InferenceProvider
from .types import InferenceTask
from .wherry import WherryProvider

__all__ = [
    "InferenceError",
    "InferenceProvider",
    "InferenceTask",
    "InferenceTimeoutError",
    "InvalidRequestError",
    "ModelNotFoundError",
    "ProviderConnectionError",
    "ProviderNotFoundError",
    "TaskNotSupportedError",
    "WherryProvider",
]
