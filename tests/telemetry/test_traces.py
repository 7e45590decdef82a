"""When a process traces, what it says when it cannot, and what it costs where it does not."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wherry.telemetry import traces
from wherry.telemetry.settings import TelemetrySettings

from ..support.models import model

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


def settings(tracing: str = "auto") -> TelemetrySettings:
    return TelemetrySettings.model_validate({"tracing": tracing})


@pytest.mark.parametrize(
    ("tracing", "environment", "asked"),
    [
        ("auto", {}, False),
        ("auto", {ENDPOINT: ""}, False),
        ("auto", {ENDPOINT: "http://collector:4318"}, True),
        ("auto", {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://tempo/v1/traces"}, True),
        ("auto", {"OTEL_TRACES_EXPORTER": "console"}, True),
        ("auto", {ENDPOINT: "http://collector:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ("auto", {ENDPOINT: "http://collector:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ("auto", {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://collector"}, False),
        ("on", {}, True),
        ("on", {"OTEL_SDK_DISABLED": "TRUE"}, False),
        ("off", {ENDPOINT: "http://collector:4318"}, False),
    ],
)
def test_it_is_asked_for_as_users_of_opentelemetry_expect(
    tracing: str, environment: dict[str, str], asked: bool
) -> None:
    assert traces.is_asked_for(settings(tracing), environment) is asked


def test_a_process_without_the_packages_warns_or_refuses_as_it_was_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "wherry.telemetry.provider", None)
    with pytest.raises(traces.TracingError, match=r"pip install 'wherry\[otel\]'"):
        traces.start("wherry-api", settings("on"), version="1")
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:1")
    with caplog.at_level(logging.WARNING):
        traces.start("wherry-api", settings(), version="1")
    assert "nothing is traced" in caplog.text
    assert traces.tracer() is None


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon", "is none of http/protobuf, grpc"),
        ("OTEL_TRACES_EXPORTER", "zipkin", "there is no exporter 'zipkin'"),
    ],
)
def test_an_exporter_that_there_is_not_is_named(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(traces.TracingError, match=said):
        traces.start("wherry-api", settings("on"), version="1")


#: Notes each import of OpenTelemetry by a module of ours; redis-py and FastAPI have their own.
_PROBE = """
import builtins, sys
ours, plain = [], builtins.__import__
def noting(name, globals=None, *rest, **named):
    by = (globals or {}).get("__name__", "")
    if name.startswith("opentelemetry") and by.startswith("wherry."):
        ours.append(by)
    return plain(name, globals, *rest, **named)
builtins.__import__ = noting
from wherry.api.app import create_app
from wherry.client import Client
from wherry.protocol.errors import Unavailable
import wherry.workers.serving
create_app()
with Client("http://127.0.0.1:1", patience_s=0) as client:
    try:
        client.models()
    except Unavailable:
        pass
print(sorted(set(ours)))
"""


@pytest.mark.parametrize("tracing", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_process_that_does_not_trace_imports_nothing_of_opentelemetry(
    tracing: bool, tmp_path: Path
) -> None:
    models = tmp_path / "models.toml"
    models.write_text(model("embedding"))
    env = {**os.environ, "WHERRY_MODELS": str(models)}
    if tracing:
        env[ENDPOINT] = "http://127.0.0.1:1"
    command = [sys.executable, "-c", _PROBE]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    imported = done.stdout.strip()
    if tracing:
        assert "wherry.telemetry.tracer" in imported, "or this sees nothing"
    else:
        assert imported == "[]"
