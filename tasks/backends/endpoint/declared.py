"""What a declaration of an endpoint must say. Imports no client of any protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ....protocol.nearest import meant
from .protocols import TASKS, protocols

#: Those that ask for a model by its name.
_NAMED = ("oip", "oip-grpc", "openai")


def fault_of(task: str, source: str | None, parameters: Mapping[str, Any]) -> str:
    """Why an endpoint cannot be served as declared, in one line; "" when it can."""
    if not source:
        return "source: is missing: the URL of a server, as https://host/v1"
    try:
        parts = urlsplit(source)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        return "source: expected the URL of a server, as https://host/v1"
    if parts.username or parts.password:
        return "source: no user and password in a URL: name variables by key_env or headers_env"
    if parts.query or parts.fragment:
        return "source: no query in the URL: paths are put behind it"
    protocol = parameters.get("protocol", "oip")
    if protocol not in protocols():
        hint = meant(str(protocol), protocols()) or f"; there are {', '.join(protocols())}"
        return f"parameters: protocol {protocol!r} is none{hint}"
    if protocol in _NAMED and not parameters.get("model"):
        return f"parameters: model is missing: what the server of protocol {protocol} calls it"
    able = TASKS.get(protocol)
    if able is not None and task not in able:
        return f"parameters: protocol {protocol} has no words for {task}; it has {', '.join(able)}"
    return ""
