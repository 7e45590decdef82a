"""The layer that every request passes: it finds whose the request is, and whether it may."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from ...protocol.errors import Unauthorized, WherryError
from ..access.book import KeyBook
from ..access.caller import caller
from ..access.rules import is_open, needed
from .errors import Shape, shape_of, shaped_response
from .page import from_browser

#: For programs, and for a browser at the API page, which asks for a password.
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="wherry", Basic realm="wherry", charset="UTF-8"'}


class AccessGuard:
    """Lets in whoever has the key for it. Refusals have the shape of the path's own errors."""

    def __init__(self, app: ASGIApp, shapes: Sequence[tuple[str, Shape]]) -> None:
        self._app, self._shapes = app, shapes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or refuse it before its body is read."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # As the routes will see it, under a mount as well.
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if is_open(path) or (path == "/" and from_browser(scope["headers"])):  # to the console
            await self._app(scope, receive, send)
            return
        book: KeyBook = scope["app"].state.keys
        try:
            who = book.caller(token_of(scope["headers"]))
            if not who.admin:
                who.require(needed(scope["method"], path))
        except WherryError as error:
            headers = _CHALLENGE if isinstance(error, Unauthorized) else {}
            await self._refusal(scope, path, error, headers)(scope, receive, send)
            return
        reset = caller.set(who)
        try:
            await self._app(scope, receive, send)
        finally:
            caller.reset(reset)

    def _refusal(
        self, scope: Scope, path: str, error: WherryError, headers: Mapping[str, str]
    ) -> ASGIApp:
        return shaped_response(Request(scope), error, shape_of(path, self._shapes), headers)


def token_of(headers: Sequence[tuple[Any, Any]]) -> str:
    """The key in a request's headers, or a call's metadata; "" for none.

    As a bearer, as either half of a Basic login (Label Studio and browsers send those), or in
    `X-API-Key`, which Pixano's clients send.
    """
    found = ""
    for name, value in headers:
        if name == b"authorization" or name == "authorization":  # a fast path
            return _credentials(_text(value))
        if name == b"x-api-key" or name == "x-api-key":
            found = _text(value)
    return found


def _text(value: bytes | str) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _credentials(text: str) -> str:
    if text.startswith("Bearer wherry_"):
        return text[7:]
    kind, _, rest = text.strip().partition(" ")
    rest = rest.strip()
    if kind.lower() != "basic":
        return rest or kind  # some send a bare key
    try:
        user, _, password = base64.b64decode(rest, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return " "  # a login, and not a good one
    return user if user.startswith("wherry_") else password or " "
