"""What a batch leaves in its jobs' traces, however it ends."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from wherry.jobs.fleet import view
from wherry.jobs.record import NewJob
from wherry.jobs.recover import reap
from wherry.jobs.submit import submit
from wherry.telemetry import traces
from wherry.telemetry.tracer import Tracer
from wherry.workers import serving as serving_module
from wherry.workers.batch import run_batch

from .conftest import BAD, GROUP, Process


class Recorded:
    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = Tracer(provider.get_tracer("test"))

    def named(self, start: str) -> list[ReadableSpan]:
        return [s for s in self.exporter.get_finished_spans() if s.name.startswith(start)]

    def states(self) -> dict[Any, Any]:
        found = [span.attributes or {} for span in self.named("process")]
        return {told["messaging.message.id"]: told["wherry.job.state"] for told in found}


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    recorded = Recorded()
    monkeypatch.setattr(traces, "_tracer", recorded.tracer)
    return recorded


@pytest.fixture
def ready(process: Process) -> Process:
    process.worker._models.load_all()
    return process


def send(
    process: Process, job_id: str, *, sampled: bool = True, text: str = "a", **of: Any
) -> None:
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [text]}
    payload = json.dumps({"inputs": [tensor]}).encode()
    number = int.from_bytes(job_id.encode())
    job = NewJob(
        id=job_id,
        task="embedding",
        group=of.get("group", GROUP),
        payload=payload,
        header_length=len(payload),
        fingerprint="f",
        trace=f"00-{number:032x}-{number:016x}-0{int(sampled)}",
    )
    process.queue.run(submit(job, process.jobs))


def test_each_job_ends_in_its_own_trace_and_is_linked_to_the_batch(
    ready: Process, recorded: Recorded
) -> None:
    for job_id in "ab":
        send(ready, job_id)
    ready.submit("untraced")
    assert ready.worker.serve(GROUP) == 3
    [batch] = recorded.named("batch")
    assert batch.attributes
    assert batch.attributes["messaging.batch.message_count"] == 3
    assert [link.context.trace_id for link in batch.links] == [ord("a"), ord("b")]
    jobs = recorded.named("process")
    assert [span.context.trace_id for span in jobs] == [ord("a"), ord("b")]
    assert all(span.links[0].context.span_id == batch.context.span_id for span in jobs)
    assert recorded.states() == {"a": "succeeded", "b": "succeeded"}


def test_a_batch_of_jobs_that_nobody_records_leaves_nothing(
    ready: Process, recorded: Recorded
) -> None:
    send(ready, "a", sampled=False)
    ready.submit("untraced")
    assert ready.worker.serve(GROUP) == 2
    assert recorded.exporter.get_finished_spans() == ()


def test_jobs_of_a_model_that_failed_say_so(ready: Process, recorded: Recorded) -> None:
    send(ready, "a", group=BAD)
    ready.worker._lease.beat()
    ready.worker._failures.look(ready.queue.run(view(ready.jobs)))
    assert ready.worker.serve(BAD) == 1
    [job] = recorded.named("process")
    assert job.status.status_code is StatusCode.ERROR
    assert (job.attributes or {})["error.type"] == "model_failed"


def test_an_answer_that_comes_too_late_is_an_error_of_its_attempt(
    ready: Process, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_batch

    def taken_away(*given: Any) -> Any:
        ready.queue.run(reap(ready.worker._id, ready.jobs, gone=True))
        return run(*given)

    monkeypatch.setattr(serving_module, "run_batch", taken_away)
    send(ready, "a")
    ready.worker.serve(GROUP)
    assert recorded.states() == {"a": "late"}
    assert recorded.named("process")[0].status.status_code is StatusCode.ERROR


def test_what_is_given_back_at_once_waits_again(
    ready: Process, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving: Any = ready.worker._serving
    take = serving._claim

    def claimed_too_late(hint: object) -> object:
        taken = take(hint)
        ready.worker.drain()
        return taken

    monkeypatch.setattr(serving, "_claim", claimed_too_late)
    send(ready, "a")
    ready.worker.serve(GROUP)
    assert recorded.states() == {"a": "queued"}


def test_a_batch_that_breaks_is_an_error_of_each_job(
    ready: Process, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(serving_module, "run_batch", broken)
    send(ready, "a")
    ready.worker.serve(GROUP)
    [job] = recorded.named("process")
    assert (job.attributes or {})["error.type"] == "backend_error"
    assert job.status.description == "the worker raised RuntimeError"


def test_a_trace_that_cannot_be_read_is_no_fault_of_its_job(
    ready: Process, recorded: Recorded
) -> None:
    ready.submit("a")
    ready.queue.redis.hset("wherry:job:a", "trace", "nonsense")
    assert ready.worker.serve(GROUP) == 1
    assert ready.states("a") == ["succeeded"]
    assert recorded.named("process") == []


def test_tenants_jobs_of_one_batch_keep_their_traces_apart(
    ready: Process, recorded: Recorded
) -> None:
    send(ready, "a")
    send(ready, "b", group=replace(GROUP, tenant="bob"))
    assert ready.worker.serve(GROUP) == 2
    assert recorded.states() == {"a": "succeeded", "b": "succeeded"}
    assert {span.context.trace_id for span in recorded.named("process")} == {ord("a"), ord("b")}
