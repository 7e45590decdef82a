"""Every error that Wherry raises on purpose.

    WherryError
     ├ InvalidRequest        a request that can never work
     │  ├ InvalidTensor      one tensor's data or shape
     │  └ PayloadTooLarge    over a size limit
     ├ Unauthorized          no API key, or one that is not known
     ├ Forbidden             a key that may not do this
     ├ NotFound
     │  ├ ModelNotFound
     │  └ JobNotFound
     ├ Conflict              a known id with another body
     ├ Unavailable           not now; retry
     │  ├ QueueLoading       Redis reads what it kept, after a restart
     │  ├ QueueFull
     │  ├ TenantLimit        one tenant has too much waiting, or submits too fast
     │  ├ ModelNotReady
     │  │  └ ModelFailed     could not be loaded; retrying is no use
     │  └ StoreUnavailable   where large payloads and results live
     ├ DeadlineExceeded
     ├ JobGone
     │  ├ JobCanceled
     │  └ JobExpired
     ├ RowError              one row's own fault
     ├ BackendError          the model raised
     │  └ OutOfMemory
     └ WorkerLost            attempts used up by crashes

The HTTP status is the API's business, the retry the worker's. Only these texts reach a client.
"""

from __future__ import annotations

import inspect
from typing import ClassVar

#: Characters of an error's text, at most.
_LONGEST = 2000


class WherryError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str | None = None) -> None:
        message = message or inspect.cleandoc(type(self).__doc__ or "")
        # A text that quotes the request must not grow with it.
        self.message = message if len(message) <= _LONGEST else message[: _LONGEST - 1] + "…"
        super().__init__(self.message)


class InvalidRequest(WherryError):
    """The request is invalid."""

    code = "invalid_request"


class InvalidTensor(InvalidRequest):
    """A tensor's data does not fit its declaration."""

    code = "invalid_tensor"


class PayloadTooLarge(InvalidRequest):
    """The request is too large."""

    code = "payload_too_large"


class Unauthorized(WherryError):
    """An API key is needed."""

    code = "unauthorized"


class Forbidden(WherryError):
    """This API key may not do that."""

    code = "forbidden"


class NotFound(WherryError):
    """There is no such thing."""

    code = "not_found"


class ModelNotFound(NotFound):
    """There is no such model."""

    code = "model_not_found"


class JobNotFound(NotFound):
    """There is no such job."""

    code = "job_not_found"


class Conflict(WherryError):
    """The id is taken by another request."""

    code = "conflict"


class Unavailable(WherryError):
    """The service cannot answer now; retry later."""

    code = "unavailable"
    retryable = True
    #: Seconds after which a retry makes sense.
    retry_after_s: int = 1


class QueueLoading(Unavailable):
    """The queue is loading what it kept, after a restart; retry later."""

    code = "loading"
    retry_after_s = 5


class QueueFull(Unavailable):
    """The queue is full; retry later."""

    code = "queue_full"


class TenantLimit(Unavailable):
    """A limit of this API key is reached; retry later."""

    code = "limit_reached"

    def __init__(self, message: str | None = None, *, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ModelNotReady(Unavailable):
    """The model is not ready; retry later."""

    code = "model_not_ready"


class ModelFailed(ModelNotReady):
    """The model could not be loaded."""

    code = "model_failed"
    #: It stays so until somebody mends it and asks for another load.
    retryable = False


class StoreUnavailable(Unavailable):
    """The blob store cannot be reached; retry later."""

    code = "store_unavailable"
    retry_after_s = 5


class DeadlineExceeded(WherryError):
    """The answer did not come in time."""

    code = "deadline_exceeded"


class JobGone(WherryError):
    """The job ended without a result."""

    code = "gone"


class JobCanceled(JobGone):
    """The job was canceled."""

    code = "canceled"


class JobExpired(JobGone):
    """The job did not start before its deadline."""

    code = "expired"


class RowError(WherryError):
    """A row cannot be processed."""

    code = "invalid_row"


class BackendError(WherryError):
    """The model raised."""

    code = "backend_error"


class OutOfMemory(BackendError):
    """The device is out of memory."""

    code = "out_of_memory"
    retryable = True


class WorkerLost(WherryError):
    """The worker died each time it ran this job."""

    code = "worker_lost"


def _tree(root: type[WherryError]) -> dict[str, type[WherryError]]:
    classes = {root.code: root}
    for child in root.__subclasses__():
        if child.__module__ == __name__:  # others' own classes never travel
            classes |= _tree(child)
    return classes


def codes() -> frozenset[str]:
    """The code of every error."""
    return frozenset(_tree(WherryError))


def from_code(code: str, message: str) -> WherryError:
    """Rebuild an error from a record. An unknown code is a BackendError."""
    return _tree(WherryError).get(code, BackendError)(message)
