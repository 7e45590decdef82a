"""What a worker's page tells: its batches, loads, tickets and device, and where it is."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families as plain

from wherry.jobs.group import Group
from wherry.jobs.record import BatchStats, Claim, ClaimedJob, Share
from wherry.tasks.backends import create_backend
from wherry.tasks.backends.device import Device
from wherry.tasks.catalog import ModelDeclaration
from wherry.telemetry.metrics_settings import MetricsSettings
from wherry.telemetry.worker_metrics import REGISTRY, flush
from wherry.workers.batch import run_batch
from wherry.workers.batch_metrics import Gpu, count_batch, count_claim, page_of
from wherry.workers.budget import declared_budget
from wherry.workers.loaded_model import LoadedModel
from wherry.workers.metrics_page import OwnPage

from .conftest import GROUP, Process


def value(name: str, **labels: str) -> float:
    flush()
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_a_batch_is_told_part_by_part() -> None:
    group = Group("text", "told-once", "1")
    count_batch(
        BatchStats(
            group=group,
            rows=6,
            max_rows=8,
            total_us=100_000,
            waited_us=20_000,
            compute_us=50_000,
            output_us=10_000,
        )
    )
    parts = {
        "decode": 0.02,
        "device_wait": 0.02,
        "compute": 0.05,
        "store": 0.01,
    }
    for part, seconds in parts.items():
        name = f"wherry_batch_{part}_duration_seconds"
        assert value(f"{name}_count", model=group.model) == 1
        assert value(f"{name}_sum", model=group.model) == pytest.approx(seconds)
    assert value("wherry_batch_rows_sum", model=group.model) == 6
    assert value("wherry_batch_fill_ratio_sum", model=group.model) == 0.75


def test_waits_are_told_by_lane_and_never_below_zero() -> None:
    now_ms = int(time.time() * 1000)

    def share(priority: int, *ages_ms: int) -> Share:
        group = Group("text", "waited", "1", priority=priority)
        jobs = [ClaimedJob("j", group, 1, 1, 0, "", "", now_ms - age_ms) for age_ms in ages_ms]
        return Share(group, tuple(jobs))

    tickets = value("wherry_tickets_total", kind="claimed")
    count_claim(Claim((share(5, 3000), share(9, 10, -60_000))))  # a clock that is ahead
    assert value("wherry_tickets_total", kind="claimed") == tickets + 1
    name = "wherry_job_queue_duration_seconds"
    assert value(f"{name}_count", model="waited", lane="interactive") == 1
    assert value(f"{name}_sum", model="waited", lane="interactive") >= 3
    assert value(f"{name}_count", model="waited", lane="bulk") == 2
    assert 0 <= value(f"{name}_sum", model="waited", lane="bulk") < 60


def test_a_worker_says_where_its_page_is_until_it_stops(process: Process) -> None:
    process.worker._page = OwnPage(process.jobs, MetricsSettings(metrics_port="auto"))
    loads = value("wherry_model_loads_total", model="embedding", outcome="ok")
    failed = value("wherry_model_loads_total", model="bad", outcome="failed")
    claimed = value("wherry_tickets_total", kind="claimed")
    empty = value("wherry_tickets_total", kind="empty")
    rows = value("wherry_batch_rows_sum", model="embedding")
    process.worker.start()
    [seen] = process.seen()
    address = seen.info["metrics"]
    process.submit("a", "b")
    process.worker.serve(GROUP)
    process.worker.serve(GROUP)
    with urllib.request.urlopen(f"http://{address}/metrics") as answer:
        metrics = {metric.name: metric for metric in plain(answer.read().decode())}
    [about] = metrics["wherry_build_info"].samples
    assert about.labels["process"] == "worker"
    assert [s.labels["device"] for s in metrics["wherry_device_busy_seconds"].samples] == ["cpu"]
    [memory] = metrics["wherry_model_memory_bytes"].samples
    assert memory.labels == {"model": "embedding", "version": "1"}
    assert "nv_gpu_utilization" not in metrics
    assert value("wherry_model_loads_total", model="embedding", outcome="ok") == loads + 1
    assert value("wherry_model_loads_total", model="bad", outcome="failed") == failed + 1
    assert value("wherry_tickets_total", kind="claimed") == claimed + 1
    assert value("wherry_tickets_total", kind="empty") == empty + 1
    assert value("wherry_batch_rows_sum", model="embedding") == rows + 2
    process.worker.stop()
    with pytest.raises(OSError):
        urllib.request.urlopen(f"http://{address}/metrics")


def test_a_worker_without_a_page_says_nothing_of_one(process: Process) -> None:
    process.worker.start()
    [seen] = process.seen()
    assert "metrics" not in seen.info


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The driver's tool, which prints what is in a file and counts how often it was asked."""
    tool, told = tmp_path / "nvidia-smi", tmp_path / "told"
    tool.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\ncat {told}\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2")
    told.write_text("GPU-5f3, 37, 1024, 143771\n")
    return told


def test_a_gpu_is_told_as_its_driver_does(driver: Path) -> None:
    state = Gpu().state()
    assert state is not None
    assert (state.uuid, state.utilization) == ("GPU-5f3", 0.37)
    assert (state.used_bytes, state.total_bytes) == (1024 << 20, 143_771 << 20)
    asked = (driver.parent / "asked").read_text()
    assert asked.startswith("--id=2 --query-gpu=uuid,utilization.gpu,memory.used,memory.total")


def test_the_driver_is_asked_every_few_seconds_at_most(driver: Path) -> None:
    now = [0.0]
    gpu = Gpu(clock=lambda: now[0])
    for seconds in (0.0, 1.0, 4.9, 5.0, 9.0):
        now[0] = seconds
        assert gpu.state()
    assert len((driver.parent / "asked").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("told", "utilization"),
    [("MIG-1, [N/A], 10, 20\n", None), ("", "nothing"), ("No devices were found\n", "nothing")],
)
def test_what_a_driver_does_not_tell_is_left_out(
    driver: Path, told: str, utilization: object
) -> None:
    driver.write_text(told)
    state = Gpu().state()
    assert (state.utilization if state else "nothing") == utilization


def test_the_page_of_a_worker_with_a_gpu_has_it(driver: Path) -> None:
    device = Device("cuda:0", asked="cuda:2")
    no_models: Any = ()
    found = {
        sample.name: (dict(sample.labels), sample.value)
        for metric in page_of(device, no_models).collect()
        for sample in metric.samples
    }
    assert found["nv_gpu_utilization"] == ({"gpu_uuid": "GPU-5f3"}, 0.37)
    assert found["nv_gpu_memory_used_bytes"] == ({"gpu_uuid": "GPU-5f3"}, 1024 << 20)
    assert found["wherry_device_memory_bytes"][0]["device"] == "cuda:2"


def test_forwards_that_run_out_of_memory_are_told() -> None:
    declared = ModelDeclaration(name="tight", task="embedding", backend="stub")
    backend = create_backend("stub", "embedding", None, device=Device("cpu"), fits_rows=1)
    backend.load()
    task, budget = declared.definition, declared_budget(declared)
    model = LoadedModel(declared, task, backend, budget, frozenset())
    texts = {"name": "text", "shape": [4], "datatype": "BYTES", "data": list("abcd")}
    payload = json.dumps({"inputs": [texts]}).encode()
    group = Group("text", "tight", "1")
    run_batch(model, [ClaimedJob("j", group, 1, 4, len(payload), "", "", 0)], [payload])
    # All four, then each half.
    assert value("wherry_out_of_memory_total", model="tight") == 3
