"""What a declaration of an endpoint must say. Imports no client of any protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ....protocol.nearest import meant
from .protocols import TASKS, protocols

#: Those that ask for a model by its name.
_NAMED = ("oip", "oip-grpc", "openai")

_BOUNDS = (
    "requests_per_minute",
    "tokens_per_minute",
    "spend_per_day",
    "price_in",
    "price_out",
    "rows_per_request",
)


def fault_of(task: str, source: str | None, parameters: Mapping[str, Any]) -> str:
    """Why an endpoint cannot be served as declared, in one line; "" when it can."""
    if not source:
        return "source: is missing: the URL of a server, as https://host/v1"
    try:
        parts = urlsplit(source)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, is_url = urlsplit(""), False
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
    return _fault_of_numbers(parameters)


def _fault_of_numbers(parameters: Mapping[str, Any]) -> str:
    """Types are told elsewhere."""
    given = {name: n for name, n in parameters.items() if type(n) in (int, float)}
    for name, least in (("max_concurrent", 1), ("timeout_s", 0.001)):
        if given.get(name, 1) < least:
            return f"parameters: {name} is {given[name]}: use {least} or more"
    for name, number in given.items():
        if name in _BOUNDS and not number >= 0:
            return f"parameters: {name} is {number}: use 0 for no bound, or more"
    if given.get("spend_per_day") and not (given.get("price_in") or given.get("price_out")):
        return "parameters: spend_per_day needs price_in or price_out, for a million tokens each"
    return ""
