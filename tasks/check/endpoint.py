"""Whether a model that another server runs may be asked from here."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator

from ..backends.endpoint.declared import fault_of
from ..catalog import ModelDeclaration
from .fault import Fault


def endpoint_faults(declared: ModelDeclaration, *, is_worker: bool) -> Iterator[Fault]:
    """Faults of the declaration, and of the settings and variables of a worker.

    Where the caller is none, these are warnings: its environment may be another.
    """
    if why := fault_of(declared.task, declared.source, declared.parameters):
        yield Fault(why)
        return
    if declared.parameters.get("protocol") == "oip-grpc" and not _has_grpc():
        yield Fault("parameters: protocol oip-grpc needs grpc: pip install 'wherry[grpc]'")
    for variable in _variables(declared):
        if not os.environ.get(variable, "").strip():
            told = f"environment variable {variable!r} is not set: the endpoint's key or header"
            yield Fault(f"parameters: {told}", is_error=is_worker)
    if importlib.util.find_spec("httpx") is None:
        return  # told as a package that is missing
    from ..egress.allowed import Allowed, NotAllowed
    from ..egress.settings import EndpointSettings

    settings = EndpointSettings()
    try:
        Allowed.of(
            settings.endpoint_schemes, settings.endpoint_hosts, setting="WHERRY_ENDPOINT"
        ).url(str(declared.source))
    except (NotAllowed, ValueError) as error:
        yield Fault(f"source: {error}", is_error=is_worker)


def _has_grpc() -> bool:
    return importlib.util.find_spec("grpc") is not None


def _variables(declared: ModelDeclaration) -> list[str]:
    key, headers = (declared.parameters.get(name) for name in ("key_env", "headers_env"))
    named = [key] if isinstance(key, str) and key else []
    return named + [str(v) for v in (headers.values() if isinstance(headers, dict) else ())]
