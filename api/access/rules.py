"""What a call needs. A path that no rule names needs more rather than less."""

from __future__ import annotations

import re

from .caller import Scope

#: For whoever watches the server and has no key: load balancers, containers.
OPEN = frozenset(
    {
        "/v2/health/live",
        "/v2/health/ready",
        "/v1alpha/__liveness",
        "/v1alpha/__readiness",
        "/v1alpha/health/model",
        "/v1alpha/ready/model",
        "/pixano/health",
        "/pixano056/health",
    }
)

#: The console's files, which say nothing about anybody. What a page shows it asks for with a key.
_PAGES = re.compile(r"/console(?:/.*)?", re.DOTALL)

#: The operator's: keys, dead letters, webhooks, models opened and closed, what all did together.
_ADMIN = re.compile(
    r"/v2/(?:dead|history|keys|webhooks)(?:[/:].*)?"
    r"|/v2/repository/(?:models/.*|reload)"
    r"|/v2/models/(?:.*/)?stats",
    re.DOTALL,
)

#: For Prometheus, with a key of its own: they name tenants and models.
_METRICS = ("/metrics", "/v2/metrics/targets")

#: The same in Pixano's words, by POST and DELETE: a GET of them tells how a model is.
_ADMIN_WRITES = re.compile(r"/pixano(?:056)?/(?:providers/.*|v1/models(?:/.*)?)", re.DOTALL)

#: What any key may ask by GET: which models there are, and how to call them.
_ANY = re.compile(
    r"/|/docs|/openapi\.json|/v2|/v2/caller|/v2/formats|/v2/tasks(?:/.*)?|/v2/models/.*|/models/.*"
    r"|/v2/(?:logging|trace/setting|(?:system|cuda)sharedmemory/.*)"
    r"|/v1/models(?:/.*)?|/info|/label-studio/.*"
    r"|/v1alpha/(?:models|namespaces/.*)"
    r"|/pixano(?:056)?/(?:ready|app/.*|providers/.*|v1/(?:ready|info|models))",
    re.DOTALL,
)

#: POSTs that change nothing.
_ASKS = {"/v2/repository/index": None, "/v2/jobs:status": Scope.READ}


def is_open(path: str) -> bool:
    """Whether a path answers everybody, with or without a key."""
    return path in OPEN or _PAGES.fullmatch(path) is not None


def needed(method: str, path: str) -> Scope | None:
    """The scope that a call needs; None where any key will do. Open paths need none."""
    path = path.removesuffix("\n")  # as the routes' own patterns do
    if _ADMIN.fullmatch(path):
        return Scope.ADMIN
    if path in _METRICS:
        return Scope.METRICS
    if method in ("GET", "HEAD"):
        return None if _ANY.fullmatch(path) else Scope.READ
    if path in _ASKS:
        return _ASKS[path]
    return Scope.ADMIN if _ADMIN_WRITES.fullmatch(path) else Scope.SUBMIT
