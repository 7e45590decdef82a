"""The errors of Pixano's inference providers, and which of ours each stands for.

InferenceError
 ├ ProviderNotFoundError
 ├ ProviderConnectionError   no server answers
 ├ InferenceTimeoutError     the answer did not come in time
 ├ ModelNotFoundError        no such model, or it is not served now
 ├ TaskNotSupportedError     not this provider's to do
 └ InvalidRequestError       a request that can never work
"""

from __future__ import annotations

from ...protocol import errors


class InferenceError(Exception):
    """Something went wrong."""


class ProviderNotFoundError(InferenceError):
    """There is no such provider."""


class ProviderConnectionError(InferenceError):
    """The provider cannot be reached."""


class InferenceTimeoutError(InferenceError):
    """The inference took too long."""


class ModelNotFoundError(InferenceError):
    """The model is not available."""


class TaskNotSupportedError(InferenceError):
    """The provider does not do that."""


class InvalidRequestError(InferenceError):
    """The request is invalid."""


#: The nearest class in an error's ancestry decides.
_KINDS: dict[type[errors.WherryError], type[InferenceError]] = {
    errors.WherryError: InferenceError,
    errors.DeadlineExceeded: InferenceTimeoutError,
    errors.InvalidRequest: InvalidRequestError,
    errors.ModelNotFound: ModelNotFoundError,
    errors.ModelNotReady: ModelNotFoundError,
    errors.RowError: InvalidRequestError,
    errors.Unavailable: ProviderConnectionError,
}


def of(error: errors.WherryError) -> InferenceError:
    """The error that Pixano knows for one of ours."""
    kind = next(_KINDS[cls] for cls in type(error).__mro__ if cls in _KINDS)
    return kind(error.message)
