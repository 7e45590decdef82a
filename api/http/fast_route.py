"""Routes that need nothing of the framework: it documents them, we call them."""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]
OnError = Callable[[Request, Exception], Awaitable[Response]]


class TableHeaders(Headers):
    """Headers found in a table: starlette's own look through all of them for each."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope=scope)
        self._table: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            self._table.setdefault(name, value)

    def __getitem__(self, key: str) -> str:
        return self._table[key.lower().encode("latin-1")].decode("latin-1")

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key.lower().encode("latin-1") in self._table

    def get(self, key: str, default: Any = None) -> Any:
        """The first of a name, or the default."""
        value = self._table.get(key.lower().encode("latin-1"))
        return default if value is None else value.decode("latin-1")


class _PlainRequest(Request):
    """A request whose headers are looked up quickly."""

    @functools.cached_property
    def headers(self) -> Headers:  # pyright: ignore[reportIncompatibleMethodOverride] # a property there
        """As starlette has them."""
        return TableHeaders(self.scope)


class FastRoute(APIRoute):
    """A route whose function takes the request and gives the response, and nothing besides.

    FastAPI documents it as any other, but injects nothing: that is a third of a short request.
    """

    def get_route_handler(self) -> Endpoint:
        """Call the function itself."""
        endpoint: Endpoint = self.endpoint
        return endpoint


#: Where a request's ASGI scope has a list for the template of the route that answers it.
ROUTE = "wherry.route"

#: Where a request's ASGI scope says that its answer goes out without its body.
HEAD_ONLY = "wherry.head"


class ShortWay:
    """Answers plain routes itself, and hands everything else to the framework.

    Between the socket and a route the framework passes eleven layers, none of which a plain route
    asks anything: together a quarter of a short request's time. 404, 405 and the rest stay its.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute], on_error: OnError) -> None:
        self._app, self._on_error = app, on_error
        self._routes: dict[str, list[tuple[re.Pattern[str], Endpoint, str]]] = {}
        for route in routes:
            if isinstance(route, FastRoute):
                for method in route.methods or ():
                    found = self._routes.setdefault(method, [])
                    found.append((route.path_regex, route.endpoint, route.path))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            # As GET is answered; the server, which has the scope of its own, leaves the body out.
            scope = {**scope, "method": "GET", HEAD_ONLY: True}
        # Under a mount the path is not the routes' own: the framework knows how to read it.
        if scope["type"] == "http" and not scope.get("root_path"):
            for pattern, endpoint, template in self._routes.get(scope["method"], ()):
                match = pattern.match(scope["path"])
                if match:
                    scope["path_params"] = match.groupdict()
                    _note(scope, template)
                    await self._answer(endpoint, scope, receive, send)
                    return
        try:
            await self._app(scope, receive, send)
        finally:
            _note(scope, getattr(scope.get("route"), "path", ""))  # the framework's word for it

    async def _answer(self, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send) -> None:
        request = _PlainRequest(scope, receive)
        try:
            response = await endpoint(request)
        except Exception as error:
            response = await self._on_error(request, error)
        await response(scope, receive, send)


def _note(scope: Scope, template: str) -> None:
    if template:
        scope.get(ROUTE, []).append(template)
