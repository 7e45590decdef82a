"""Errors on their way out: one JSON shape, whatever went wrong."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException

from ..protocol import errors
from .ids import uuid7

log = logging.getLogger(__name__)

#: The nearest class in an error's ancestry decides.
_STATUS: dict[type[errors.WherryError], int] = {
    errors.WherryError: 500,
    errors.InvalidRequest: 400,
    errors.PayloadTooLarge: 413,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Unavailable: 503,
    errors.DeadlineExceeded: 504,
    errors.JobGone: 410,
    errors.RowError: 400,
}


def status_of(error: errors.WherryError) -> int:
    """The HTTP status of one of our errors."""
    return next(_STATUS[cls] for cls in type(error).__mro__ if cls in _STATUS)


def error_body(error: errors.WherryError) -> dict[str, object]:
    """An error as clients read it."""
    return {"error": error.message, "error_type": error.code}


def error_response(error: errors.WherryError, **fields: object) -> Response:
    """Answer with one of our errors; `fields` join the body."""
    headers = {}
    if isinstance(error, errors.Unavailable):
        headers["Retry-After"] = str(error.retry_after_s)
    return _answer(status_of(error), {**error_body(error), **fields}, headers)


def _answer(
    status: int, body: Mapping[str, object], headers: Mapping[str, str] | None = None
) -> Response:
    request_id = uuid7()
    return Response(
        to_json({**body, "request_id": request_id}),
        status,
        {**(headers or {}), "X-Request-Id": request_id},
        "application/json",
    )


async def _ours(_: Request, error: Exception) -> Response:
    assert isinstance(error, errors.WherryError)
    return error_response(error)


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    text = {404: "no such path", 405: "this path does not take that method"}
    kind = {404: "not_found", 405: "method_not_allowed"}
    return _answer(
        error.status_code,
        {
            "error": text.get(error.status_code, str(error.detail)),
            "error_type": kind.get(error.status_code, "invalid_request"),
        },
        error.headers,
    )


async def _validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return error_response(errors.InvalidRequest(f"{where}: {first['msg']}"))


async def _unexpected(_: Request, error: Exception) -> Response:
    log.error("a request failed", exc_info=error)
    return _answer(500, {"error": "internal error", "error_type": "internal_error"})


def install(app: FastAPI) -> None:
    """Route every error of the app through this module."""
    app.add_exception_handler(errors.WherryError, _ours)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(Exception, _unexpected)
