"""Metrics of a real stack: the figures are what was sent, and the ends of processes lose none."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families as plain

from wherry.client import Client
from wherry.ops.ports import free_port
from wherry.ops.redis_server import RedisServer
from wherry.ops.stack import Stack
from wherry.protocol.errors import RowError
from wherry.tasks.text.embedding import EmbeddingInput as Input
from wherry.tasks.vision.image_classification import ImageClassificationInput

from ..support.holding import held
from ..support.models import model
from ..support.promtool import promtool
from ..support.waiting import until

Look = Callable[..., float]


def values(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for metric in plain(text)
        for sample in metric.samples
    }


def at(url: str, name: str, **labels: str) -> float:
    found = values(httpx.get(f"{url}/metrics", timeout=20).raise_for_status().text)
    return found.get((name, frozenset(labels.items())), 0.0)


def pages(url: str) -> dict[str, str]:
    """Every page that the discovery lists, by what shows it."""
    found = httpx.get(f"{url}/v2/metrics/targets").raise_for_status().json()
    return {
        each["labels"].get("instance", "api"): httpx.get(
            f"http://{each['targets'][0]}/metrics"
        ).text
        for each in found
    }


CLASSIFIER = {"model": "image-classification", "version": "1"}


def test_what_was_sent_is_what_is_counted(stack: Stack, client: Client) -> None:
    def ended(state: str, error_type: str = "") -> float:
        labels = {**CLASSIFIER, "state": state, "error_type": error_type}
        return at(stack.url, "wherry_jobs_ended_total", **labels)

    before = [ended("succeeded"), ended("failed", "invalid_row")]
    rows = at(stack.url, "wherry_rows_total", **CLASSIFIER)
    for _ in range(3):
        client.infer("image-classification", ImageClassificationInput(images=[b"a", b"b"]))
    with pytest.raises(RowError):
        client.infer("image-classification", ImageClassificationInput(images=[b"REJECT"]))
    until(
        lambda: [ended("succeeded"), ended("failed", "invalid_row")],
        lambda now: now == [before[0] + 3, before[1] + 1],
    )
    assert at(stack.url, "wherry_rows_total", **CLASSIFIER) == rows + 7


def test_each_worker_shows_its_own(stack: Stack, client: Client) -> None:
    client.infer("image-classification", ImageClassificationInput(images=[b"a"]))
    shown = pages(stack.url)
    workers = [name for name in stack.children if name.startswith("worker-")]
    assert len(shown) == 1 + len(workers), "forked ones, too"
    parts = [
        labels["process"]
        for text in shown.values()
        for (name, pairs), _ in values(text).items()
        if name == "wherry_build_info" and (labels := dict(pairs))
    ]
    assert sorted(parts) == sorted(["api", *("worker" for _ in workers)])
    [vision] = [text for name, text in shown.items() if name.startswith("vision-0@")]
    name = "wherry_batch_compute_duration_seconds_count"
    assert values(vision)[name, frozenset({("model", "image-classification")})] >= 1
    for text in shown.values():
        checker = [promtool(), "check", "metrics"]
        done = subprocess.run(checker, input=text, capture_output=True, text=True, check=False)
        # Triton's names are its own.
        assert [line for line in done.stderr.splitlines() if not line.startswith("nv_")] == []


MODELS = model("vectors", "embedding", max_batch_size=4, delay_s=0.05, hold="HOLD")
VECTORS = {"model": "vectors", "version": "1"}


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Stack]:
    """A stack that a test may kill parts of."""
    models = tmp_path / "models.toml"
    models.write_text(MODELS.replace("HOLD", str(tmp_path / "hold")))
    env = {"WHERRY_LEASE_TTL_S": "3"}
    with Stack(models=models, data_dir=tmp_path, flower=False, env=env) as stack:
        yield stack


@pytest.mark.slow
def test_no_kill_loses_or_repeats_a_count(own: Stack, tmp_path: Path) -> None:
    with Client(own.url, patience_s=60) as client:
        with held(tmp_path / "hold"):  # jobs run when they are all there, however long that takes
            jobs = [client.submit("vectors", Input(texts=[f"{n}"])).id for n in range(150)]
            until(lambda: at(own.url, "wherry_jobs_running", **VECTORS))
            own.kill_worker("text")
            os.kill(own.children["api"].pid or 0, signal.SIGKILL)
        ended = {**VECTORS, "state": "succeeded", "error_type": ""}
        for job_id in jobs:
            client.result(job_id)
        assert at(own.url, "wherry_jobs_submitted_total") == 150
        assert at(own.url, "wherry_jobs_ended_total", **ended) == 150
        assert at(own.url, "wherry_job_duration_seconds_count", **VECTORS) == 150
        assert at(own.url, "wherry_lease_losses_total") == 1
        assert at(own.url, "wherry_requeues_total") >= 1
        assert at(own.url, "wherry_jobs_waiting", **VECTORS, lane="interactive") == 0
        # The process' own began anew, as a counter does whose process did.
        infer = {"route": "/v2/models/{model}/jobs", "method": "POST", "status": "202"}
        assert at(own.url, "wherry_http_requests_total", **infer) < 150


@pytest.mark.slow
def test_a_real_prometheus_discovers_and_scrapes_it(own: Stack, tmp_path: Path) -> None:
    binary = shutil.which("prometheus")
    if binary is None:
        pytest.skip("prometheus is not installed: apt-get install prometheus")
    with Client(own.url) as client:
        for n in range(5):
            client.infer("vectors", Input(texts=[f"{n}"]))
    config, port = tmp_path / "prometheus.yml", free_port()
    config.write_text(f"""
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: wherry
    http_sd_configs: [{{url: "{own.url}/v2/metrics/targets", refresh_interval: 1s}}]
""")
    command = [binary, f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'tsdb'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    with subprocess.Popen(command) as prometheus:
        try:

            def query(text: str) -> list[Any]:
                url = f"http://127.0.0.1:{port}/api/v1/query"
                try:
                    found = httpx.get(url, params={"query": text}).json()
                except (httpx.HTTPError, json.JSONDecodeError):
                    return []
                return list(found.get("data", {}).get("result", []))

            until(lambda: query("up == 1"), lambda found: len(found) == 2)
            [ended] = until(lambda: query('wherry_jobs_ended_total{state="succeeded"}'))
            assert ended["value"][1] == "5"
            assert ended["metric"]["part"] == "api"
            [rows] = until(lambda: query("wherry_batch_rows_count"))
            assert rows["metric"]["instance"].startswith("text-0@")
            assert query("nv_inference_count")[0]["value"][1] == "5"
        finally:
            prometheus.terminate()


@pytest.mark.slow
def test_processes_behind_one_port_answer_for_each_other(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text(MODELS)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [*(sys.executable, "-P", "-m", "wherry.api.server", "--app-dir", os.devnull)]
    command += ["--factory", "wherry.api.app:create_app", "--port", str(port), "--workers", "3"]
    with RedisServer(tmp_path / "redis") as redis:
        env = {
            **os.environ,
            "WHERRY_REDIS_URL": redis.url,
            "WHERRY_MODELS": str(tmp_path / "models.toml"),
            "WHERRY_STORE_DIR": str(tmp_path / "blobs"),
            "TMPDIR": str(tmp_path),
        }
        labels = {"route": "/v2", "method": "GET", "status": "200"}

        def is_up() -> bool:
            try:
                return httpx.get(f"{url}/v2/health/live").status_code == 200
            except httpx.HTTPError:
                return False

        def counted() -> float:
            return at(url, "wherry_http_requests_total", **labels)

        with subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) as parent:
            try:
                until(is_up)
                for _ in range(60):  # a connection each, so that each process has some
                    httpx.get(f"{url}/v2")
                until(counted, lambda seen: seen == 60)
                assert {counted() for _ in range(12)} == {60}
                [folder] = tmp_path.glob("wherry-metrics-*")
                victims = {int(f.stem.rpartition("_")[2]) for f in folder.glob("counter_*.db")}
                os.kill(victims.pop(), signal.SIGKILL)
                until(is_up)
                httpx.get(f"{url}/v2")
                until(counted, lambda seen: seen == 61)
                [about] = [
                    v
                    for (n, _), v in values(httpx.get(f"{url}/metrics").text).items()
                    if n == "wherry_build_info"
                ]
                assert about == 1
            finally:
                parent.terminate()
        assert not folder.exists()
