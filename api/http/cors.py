"""Pages of other origins: whether a browser lets them call this server and read its answers."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

#: Headers of answers that pages may read.
_EXPOSED = ("Inference-Header-Content-Length", "Retry-After", "Wherry-Warning", "X-Request-Id")

_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")

#: Seconds that a browser need not ask again.
_MAX_AGE_S = 600


def with_cors(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """The app for pages of these origins, too; without any as it is.

    Keys come in headers, never in cookies: a page has to have one of its own.
    """
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=_METHODS,
        allow_headers=["*"],
        expose_headers=_EXPOSED,
        max_age=_MAX_AGE_S,
    )
