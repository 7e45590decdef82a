"""Errors as `/v1` tells them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request

from ....protocol.errors import WherryError
from ...http.entry import REQUEST_ID

#: What `/v1` calls a status; its clients hand the word on.
_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    410: "gone",
    413: "payload_too_large",
    429: "too_many_requests",
    500: "internal_error",
    503: "unavailable",
    504: "timeout",
}


def error_of(request: Request, status: int, error: WherryError) -> Mapping[str, Any]:
    """An error as `/v1` tells it."""
    request_id = request.scope.get(REQUEST_ID, "")
    code = _CODES.get(status, "error")
    return {"error": {"code": code, "message": error.message, "requestId": request_id}}
