"""Errors on their way out: one JSON shape, whatever went wrong."""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from ...protocol import errors
from .entry import REQUEST_ID
from .fast_route import Endpoint

log = logging.getLogger(__name__)

#: The nearest class in an error's ancestry decides.
_STATUS: dict[type[errors.WherryError], int] = {
    errors.WherryError: 500,
    errors.InvalidRequest: 400,
    errors.PayloadTooLarge: 413,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Unavailable: 503,
    errors.TenantLimit: 429,
    errors.DeadlineExceeded: 504,
    errors.JobGone: 410,
    errors.RowError: 400,
}


class _NoSuchMethod(errors.InvalidRequest):
    """The path does not take that method."""

    code = "method_not_allowed"


class _Unexpected(errors.WherryError):
    """Something went wrong that nobody foresaw."""

    code = "internal_error"


#: What HTTP itself refuses, in our words.
_HTTP = {
    404: errors.NotFound("no such path"),
    405: _NoSuchMethod("this path does not take that method"),
}


def status_of(error: errors.WherryError) -> int:
    """The HTTP status of one of our errors."""
    return next(_STATUS[cls] for cls in type(error).__mro__ if cls in _STATUS)


def error_body(error: errors.WherryError) -> dict[str, object]:
    """An error as clients read it."""
    return {"error": error.message, "error_type": error.code}


def retry_after(error: errors.WherryError) -> dict[str, str]:
    """The header that says when to try again; none where that is no use."""
    if not isinstance(error, errors.Unavailable) or not error.retryable:
        return {}
    return {"Retry-After": str(error.retry_after_s)}


def error_response(
    request: Request,
    error: errors.WherryError,
    *,
    headers: Mapping[str, str] | None = None,
    **fields: object,
) -> Response:
    """Answer with one of our errors; `fields` join the body."""
    named = {**(headers or {}), **retry_after(error)}
    return _answer(request, status_of(error), {**error_body(error), **fields}, named)


def _answer(
    request: Request,
    status: int,
    body: Mapping[str, object],
    headers: Mapping[str, str] | None = None,
) -> Response:
    named = {**body, "request_id": request.scope.get(REQUEST_ID, "")}
    return Response(to_json(named), status, headers, "application/json")


#: An error as another system's clients read it: status, code and text to a body.
Shape = Callable[[Request, int, errors.WherryError], Mapping[str, object]]


def shaped(shape: Shape) -> Callable[[Endpoint], Endpoint]:
    """Let a route's own errors go out in another system's shape."""

    def wrap(endpoint: Endpoint) -> Endpoint:
        @functools.wraps(endpoint)
        async def guarded(request: Request) -> Response:
            try:
                return await endpoint(request)
            except errors.WherryError as error:
                return shaped_response(request, error, shape)

        return guarded

    return wrap


def shaped_response(
    request: Request,
    error: errors.WherryError,
    shape: Shape | None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Answer with one of our errors in another system's shape, or in ours."""
    if shape is None:
        return error_response(request, error, headers=headers)
    status = status_of(error)
    named = {**(headers or {}), **retry_after(error)}
    return Response(to_json(shape(request, status, error)), status, named, "application/json")


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.WherryError)
    return error_response(request, error)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    meant = _HTTP.get(error.status_code) or errors.InvalidRequest(str(error.detail))
    return _no_routes(request, error.status_code, meant, error.headers)


def _no_routes(
    request: Request,
    status: int,
    error: errors.WherryError,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Answer with an error that no route made, as the clients of the path read theirs."""
    state = getattr(request.scope.get("app"), "state", None)
    shape = shape_of(request.url.path, getattr(state, "error_shapes", ()))
    if shape is None:
        return _answer(request, status, error_body(error), headers)
    return Response(to_json(shape(request, status, error)), status, headers, "application/json")


def shape_of(path: str, shapes: Sequence[tuple[str, Shape]]) -> Shape | None:
    """How errors of a path go out; None for our own shape."""
    return next((shape for prefix, shape in shapes if path.startswith(prefix)), None)


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return error_response(request, errors.InvalidRequest(f"{where}: {first['msg']}"))


async def _gone(request: Request, _: Exception) -> Response:
    """Answer a client that hung up while it sent; nobody reads this."""
    return _answer(request, 400, {"error": "the body is incomplete", "error_type": "gone"})


async def _unexpected(request: Request, error: Exception) -> Response:
    request_id = request.scope.get(REQUEST_ID, "")
    # The trace goes to the log; the client gets the id to ask about.
    log.error(
        "request %s failed: %s %s",
        request_id,
        request.method,
        request.url.path,
        exc_info=error,
    )
    return _no_routes(request, 500, _Unexpected("internal error"))


_HANDLERS: dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    errors.WherryError: _ours,
    HTTPException: _http,
    RequestValidationError: _validation,
    ClientDisconnect: _gone,
    Exception: _unexpected,
}


def install(app: FastAPI, shapes: Sequence[tuple[str, Shape]] = ()) -> None:
    """Route every error of the app through this module; `shapes` say whose clients read otherwise,
    by how a path begins.
    """
    app.state.error_shapes = shapes
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)


async def answer(request: Request, error: Exception) -> Response:
    """The response that stands for whatever a route raised."""
    handler = next(_HANDLERS[cls] for cls in type(error).__mro__ if cls in _HANDLERS)
    return await handler(request, error)
