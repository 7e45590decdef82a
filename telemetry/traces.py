"""Whether this process traces, and by what. Imports OpenTelemetry only where it does.

`traces.tracer()` is None where it does not: that look is all that tracing costs then.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .settings import TelemetrySettings

if TYPE_CHECKING:
    from .tracer import Tracer

log = logging.getLogger(__name__)

#: Any of these says where traces go.
_DESTINATIONS = (
    *("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
    "OTEL_TRACES_EXPORTER",
)

_tracer: Tracer | None = None


class TracingError(ValueError):
    """Tracing was asked for and cannot be had."""


def tracer() -> Tracer | None:
    """What records this process's spans; None where it does not trace."""
    return _tracer


def is_asked_for(settings: TelemetrySettings, environment: Mapping[str, str]) -> bool:
    """Whether the settings, ours and OpenTelemetry's, want spans."""
    if settings.tracing == "off" or environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if environment.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none":
        return False
    return settings.tracing == "on" or any(environment.get(name) for name in _DESTINATIONS)


def start(service: str, settings: TelemetrySettings, *, version: str, instance: str = "") -> None:
    """Trace from here on, where that is asked for. Once a process.

    `service` is the process's name where OTEL_SERVICE_NAME gives none, `instance` tells it from
    its like. Raises TracingError where the setting says `on` and it cannot be; elsewhere that is
    warned of: an endpoint may stand in the environment for others.
    """
    global _tracer  # each process has one, as OpenTelemetry itself has it
    if _tracer is not None or not is_asked_for(settings, os.environ):
        return
    try:
        from .provider import tracer_of
    except ImportError as error:
        fault = f"tracing needs {error.name}: pip install 'wherry[otel]'"
    else:
        try:
            _tracer = tracer_of(service, version=version, instance=instance)
        except ValueError as error:
            fault = str(error)
        else:
            return
    if settings.tracing == "on":
        raise TracingError(f"WHERRY_TRACING is on, but {fault}")
    log.warning("nothing is traced: %s; WHERRY_TRACING=off says so on purpose", fault)


def carried() -> dict[str, str]:
    """Headers that carry what is current here on to another server; none where nothing is."""
    if _tracer is None:
        return {}
    from .tracer import injected

    return injected()


def current() -> str:
    """What is current here, as a record carries it; "" where nothing is, or nobody traces."""
    if _tracer is None:
        return ""
    from .tracer import current_context

    return str(current_context() or "")


def stop() -> None:
    """Send what is recorded, in the time that there is for it, and trace no more."""
    global _tracer
    ended, _tracer = _tracer, None
    if ended is not None:
        ended.close()
