"""The page by independent readers, and the small server of it."""

from __future__ import annotations

import logging
import socket
import subprocess
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from wherry.jobs.group import Group
from wherry.jobs.record import BatchStats
from wherry.telemetry import api_metrics, calls, worker_metrics
from wherry.telemetry.instruments import family
from wherry.telemetry.metrics_page import MetricsPage, PageServer, listen, serve
from wherry.telemetry.metrics_settings import MetricsSettings
from wherry.telemetry.worker_metrics import GpuState, StateCollector, WorkerState

from ..support.promtool import promtool

log = logging.getLogger(__name__)

OPEN = "application/openmetrics-text; version=1.0.0,text/plain;version=0.0.4;q=0.5"


@pytest.fixture
def page() -> MetricsPage:
    """A worker's with a bit of everything on it."""
    worker_metrics.batch_ran(
        'odd "model"\\\n',
        BatchStats(
            group=Group("text", "m", "1"),
            rows=3,
            max_rows=4,
            total_us=310_000,
            compute_us=200_000,
            output_us=10_000,
        ),
    )
    worker_metrics.jobs_claimed(60_000, [("m", "bulk", [59_999, 10_000])])
    worker_metrics.ticket_came("empty")
    worker_metrics.model_loaded("m", 2.0)
    worker_metrics.model_failed("m")
    worker_metrics.consumer_restarted()
    worker_metrics.ran_out_of_memory("m", 2)
    calls.redis_called(0.0, ok=False)
    with calls.store_call("put", KeyError):
        pass
    api_metrics.requests.answered("/v2", "BREW", 418, 0.1)
    api_metrics.grpc_called("ServerLive", "OK")
    api_metrics.webhook_tried("delivered")
    page = MetricsPage(
        "worker",
        "1.2.3",
        [worker_metrics.REGISTRY, api_metrics.REGISTRY],
        flushes=[api_metrics.requests.flush, worker_metrics.flush],
    )
    gpu = GpuState("GPU-1", 0.25, 1 << 30, 2 << 30)
    page.register(StateCollector(lambda: WorkerState("cuda:1", 12.5, [("m", "1", 99)], gpu)))
    return page


@pytest.fixture
def server(page: MetricsPage) -> Iterator[PageServer]:
    server = serve(page, "127.0.0.1", 0)
    yield server
    server.close()


def test_both_forms_are_read_by_their_parsers(page: MetricsPage) -> None:
    text, kind = page.rendered("")
    assert kind.startswith("text/plain; version=0.0.4")
    first = {metric.name: metric for metric in plain(text.decode())}
    body, kind = page.rendered(OPEN)
    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith(b"# EOF\n")
    second = {metric.name: metric for metric in openmetrics(body.decode())}
    assert first.keys() == second.keys()
    [about] = first["wherry_build_info"].samples
    assert about.labels == {"version": "1.2.3", "process": "worker"}
    [odd] = [
        sample
        for sample in second["wherry_batch_rows"].samples
        if sample.name.endswith("_count") and sample.labels["model"].startswith("odd")
    ]
    assert odd.labels["model"] == 'odd "model"\\\n'
    methods = {s.labels["method"] for s in first["wherry_http_requests"].samples}
    assert "BREW" not in methods
    assert "other" in methods


def test_what_a_worker_holds_is_as_of_now(page: MetricsPage) -> None:
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for metric in plain(page.rendered("")[0].decode())
        for sample in metric.samples
    }
    assert found["wherry_device_busy_seconds_total", "cuda:1"] == 12.5
    assert found["wherry_device_memory_bytes", "cuda:1", "used"] == 1 << 30
    assert found["wherry_model_memory_bytes", "1", "m"] == 99
    assert found["nv_gpu_utilization", "GPU-1"] == 0.25
    assert found["nv_gpu_memory_total_bytes", "GPU-1"] == 2 << 30


def test_promtool_finds_nothing(page: MetricsPage) -> None:
    triton = family("nv_inference_count", [(("m", "1"), 3)])
    body, _ = page.rendered("", [triton])
    done = subprocess.run(
        [promtool(), "check", "metrics"], input=body, capture_output=True, check=False
    )
    assert done.stderr.decode() == ""
    assert done.returncode == 0


def test_it_is_served(server: PageServer) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as answer:
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert b"wherry_tickets_total" in answer.read()
    assert server.address("redis://127.0.0.1:6379/0") == f"127.0.0.1:{server.port}"


def test_a_port_that_is_taken_is_told_and_done_without(
    page: MetricsPage, server: PageServer, caplog: pytest.LogCaptureFixture
) -> None:
    assert listen(page, MetricsSettings(metrics_port=server.port), log) is None
    assert f"no page of metrics at 127.0.0.1:{server.port}" in caplog.text
    assert "WHERRY_METRICS_PORT" in caplog.text
    assert (
        listen(page, MetricsSettings(metrics_host="no.such.host.invalid", metrics_port=1), log)
        is None
    )


def test_none_is_asked_for_by_0_and_a_free_one_by_auto(page: MetricsPage) -> None:
    assert listen(page, MetricsSettings(metrics_port=0), log) is None
    both = [listen(page, MetricsSettings(metrics_port="auto"), log) for _ in range(2)]
    ports = {server.port for server in both if server}
    assert len(ports) == 2
    for server in both:
        assert server
        server.close()


def test_a_host_that_stands_for_all_is_told_as_the_one_that_reaches_redis(
    page: MetricsPage,
) -> None:
    server = serve(page, "0.0.0.0", 0)
    try:
        assert server.address("redis://127.0.0.1:6379/0") == f"127.0.0.1:{server.port}"
        for unknown in ("redis://no.such.host.invalid:1/0", "unix:///tmp/redis.sock", "?"):
            assert server.address(unknown) == f"{socket.gethostname()}:{server.port}"
    finally:
        server.close()


def test_settings_that_cannot_be_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERRY_METRICS_PORT", "auto")
    assert MetricsSettings().metrics_port == "auto"
    monkeypatch.setenv("WHERRY_METRICS_PORT", "9100")
    assert MetricsSettings().metrics_port == 9100
    for bad in ("some", "-1", "70000", ""):
        monkeypatch.setenv("WHERRY_METRICS_PORT", bad)
        with pytest.raises(ValueError):
            MetricsSettings()
