"""Traces and logs of whole fleets: one whose collector hangs, one that ends, one that logs JSON."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from wherry.client import Client
from wherry.jobs import Queue
from wherry.ops.stack import Stack

from ..support.models import model
from ..support.otlp import OtlpReceiver
from ..support.waiting import until

pytestmark = pytest.mark.slow

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACED = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
MODELS = model("embedding", max_batch_size=8, raise_on="RAISE")


@contextmanager
def fleet(
    folder: Path, env: Mapping[str, str], **options: Any
) -> Iterator[tuple[Stack, list[str]]]:
    """A fleet and what it says."""
    (folder / "models.toml").write_text(MODELS)
    said: list[str] = []
    stack = Stack(
        models=folder / "models.toml",
        data_dir=folder,
        flower=False,
        env=dict(env),
        log=lambda _, line: said.append(line),
        **options,
    )
    with stack:
        yield stack, said


def infer(url: str, text: str = "hi") -> httpx.Response:
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [text]}
    address = f"{url}/v2/models/embedding/infer"
    return httpx.post(address, json={"inputs": [tensor]}, headers=TRACED, timeout=60)


@pytest.fixture
def collector() -> Iterator[OtlpReceiver]:
    receiver = OtlpReceiver()
    yield receiver
    receiver.close()


def test_a_collector_that_hangs_holds_up_no_job_and_no_end(tmp_path: Path) -> None:
    deaf = OtlpReceiver(hangs=True)
    few = {"OTEL_BSP_MAX_QUEUE_SIZE": "8", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "4"}
    try:
        with fleet(tmp_path, {**deaf.env, **few}) as (stack, said):
            until(lambda: infer(stack.url).status_code == 200 and deaf.requests >= 2)
            assert all(infer(stack.url).status_code == 200 for _ in range(40)), "its queue is full"
        assert not deaf.spans, "it took none"
        assert not [line for line in said if "killed" in line], "all ended when they were told to"
    finally:
        deaf.close()


def test_a_collector_that_is_away_holds_up_no_job_and_no_end(tmp_path: Path) -> None:
    gone = OtlpReceiver()
    gone.close()
    with fleet(tmp_path, gone.env) as (stack, said):
        assert all(infer(stack.url).status_code == 200 for _ in range(40))
    assert not [line for line in said if "killed" in line]


def test_a_fleet_that_ends_sends_what_it_has_recorded(
    tmp_path: Path, collector: OtlpReceiver
) -> None:
    late = {**collector.env, "OTEL_BSP_SCHEDULE_DELAY": "3600000"}
    with fleet(tmp_path, late) as (stack, _):
        assert infer(stack.url).status_code == 200
        assert not collector.spans
    names = {span.name.split()[0] for span in collector.spans}
    assert names >= {"POST", "submit", "process", "batch", "finish"}


def test_a_fleet_that_does_not_trace_keeps_nothing_of_what_its_clients_send(tmp_path: Path) -> None:
    with fleet(tmp_path, {}) as (stack, _):
        tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["hi"]}
        document = {"id": "plain", "inputs": [tensor]}
        address = f"{stack.url}/v2/models/embedding/jobs"
        assert httpx.post(address, json=document, headers=TRACED).status_code == 202
        queue = Queue(stack.redis_url)
        found: Any = queue.redis.hkeys("wherry:job:plain")
        queue.close()
        assert b"fingerprint" in found
        assert not [name for name in found if name.startswith(b"trace")]


def test_steps_of_a_run_are_in_its_trace_and_their_jobs_linked_to_them(
    tmp_path: Path, collector: OtlpReceiver
) -> None:
    table = tmp_path / "rows.jsonl"
    table.write_text("".join(json.dumps({"text": f"row {n}"}) + "\n" for n in range(20)))
    env = {**collector.env, "WHERRY_RUN_PLACES": "local"}
    with fleet(tmp_path, env, run_workers=1) as (stack, _), Client(stack.url) as client:
        document = {"source": str(table), "model": "embedding", "shard_rows": 10}
        answer = httpx.post(f"{stack.url}/v2/runs", json=document, headers=TRACED)
        run_id = answer.json()["id"]
        until(lambda: client.get(f"/v2/runs/{run_id}")["state"], "succeeded".__eq__)
        jobs = collector.until(lambda spans: [s for s in spans if s.name.startswith("process")])
    spans = collector.spans
    steps = [span for span in spans if span.name.startswith("run ")]
    assert sorted(span.attributes["wherry.run.step"] for span in steps) == [
        "merge",
        "plan",
        "shard/0",
        "shard/1",
    ]
    asked = next(span for span in spans if span.name == "POST /v2/runs")
    assert {(span.trace_id, span.parent_id) for span in steps} == {asked.place}
    assert jobs
    shards = {span.place for span in steps if span.name == "run shard"}
    roots = [s for s in spans if s.service == "wherry-runs" and not s.parent_id]
    assert {link[:2] for span in roots for link in span.links} >= shards
    assert not [
        span for span in spans if span.name.startswith("process") and span.trace_id == TRACE
    ]


def test_wherry_up_logs_an_object_a_line_with_the_ids_of_its_trace_and_jobs(
    tmp_path: Path, collector: OtlpReceiver
) -> None:
    (tmp_path / "models.toml").write_text(MODELS)
    command = [sys.executable, "-c", "from wherry.ops.cli import main; main()", "up", "--port=0"]
    options = [f"--models={tmp_path / 'models.toml'}", f"--data-dir={tmp_path}", "--flower-port=0"]
    process = subprocess.Popen(
        [*command, *options, "--log-level=info"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **collector.env, "WHERRY_LOG_FORMAT": "json"},
    )
    assert process.stdout is not None
    told: list[dict[str, Any]] = []
    with process.stdout as lines:
        for line in lines:
            told.append(json.loads(line))
            if url := re.search(r"export WHERRY_URL=(\S+)", told[-1]["message"]):
                assert infer(url[1], "RAISE").status_code == 500
                process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert all(line.keys() >= {"time", "level", "logger", "message"} for line in told)
    services = {line.get("service") for line in told}
    assert services >= {"redis", "api", "worker-text", "runs", "flower", "stack"}
    [raised] = [line for line in told if line["message"] == "the model raised on a single row"]
    assert raised["service"] == "worker-text"
    assert raised["level"] == "error"
    assert raised["exception"].startswith("Traceback")
    assert raised["model"] == "embedding/1"
    [batch] = [span for span in collector.spans if span.name.startswith("batch")]
    assert (raised["trace_id"], raised["span_id"]) == batch.place
    assert raised["job_traces"] == [TRACE]
    assert raised["jobs"] == [batch.links[0][2]["messaging.message.id"]]
    assert told[-1]["message"] == "Stopped in order."
