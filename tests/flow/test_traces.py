"""One trace from a client to a webhook's receiver, through real processes and a real receiver."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
from celery import Celery

from wherry.jobs import Queue
from wherry.ops.stack import Stack

from ..support.holding import held
from ..support.models import model
from ..support.otlp import OtlpReceiver, Span
from ..support.receiver import Receiver, status
from ..support.waiting import until

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
PARTS = ["fetch", "decode", "device wait", "forward", "encode", "store", "finish"]


def traceparent(trace_id: str = TRACE, *, sampled: bool = True) -> dict[str, str]:
    return {"traceparent": f"00-{trace_id}-{PARENT}-0{int(sampled)}"}


@pytest.fixture(scope="module")
def everything() -> Iterator[OtlpReceiver]:
    receiver = OtlpReceiver()
    yield receiver
    receiver.close()


@pytest.fixture
def collector(everything: OtlpReceiver) -> OtlpReceiver:
    everything.clear()
    return everything


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, everything: OtlpReceiver) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("traced")
    models = model("embedding", max_batch_size=8) + model(
        "slow", "text-classification", max_batch_size=8, hold=str(folder / "hold")
    )
    (folder / "models.toml").write_text(models)
    env = {
        **everything.env,
        "WHERRY_WEBHOOK_HOSTS": "127.0.0.1:*",
        "WHERRY_WEBHOOK_SCHEMES": "http",
        "WHERRY_WEBHOOK_SECRETS": SECRET,
        "WHERRY_OUTBOUND_NETWORKS": "127.0.0.1/32",
        "WHERRY_LEASE_TTL_S": "5",
        "WHERRY_WEBHOOK_FIRST_PAUSE_S": "0.1",
    }
    with Stack(
        models=folder / "models.toml",
        data_dir=folder,
        flower=False,
        grpc_port=0,
        concurrency=2,
        env=env,
    ) as stack:
        yield stack


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    receiver.answers["/hook"] = status(200)
    yield receiver
    receiver.close()


def submit(fleet: Stack, job_id: str, headers: dict[str, str], model: str = "embedding") -> None:
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["hi"]}
    answer = httpx.post(
        f"{fleet.url}/v2/models/{model}/jobs",
        json={"id": job_id, "inputs": [tensor]},
        headers=headers,
    )
    assert answer.status_code == 202, answer.text


def named(spans: list[Span], start: str, trace_id: str = "") -> list[Span]:
    return [s for s in spans if s.name.startswith(start) and trace_id in ("", s.trace_id)]


def came(collector: OtlpReceiver, trace_id: str, *starts: str) -> list[Span]:
    """All spans, once those of a trace are there whose names begin so; each process by itself."""
    return collector.until(lambda spans: all(named(spans, start, trace_id) for start in starts))


def one(spans: list[Span], start: str, trace_id: str = "") -> Span:
    [found] = named(spans, start, trace_id)
    return found


def test_one_trace_leads_from_a_program_to_the_receiver_of_its_webhook(
    fleet: Stack, collector: OtlpReceiver, receiver: Receiver
) -> None:
    program = Path(__file__).with_name("traced_client.py")
    hook = receiver.url("/hook", host="127.0.0.1")
    done = subprocess.run(
        [sys.executable, str(program), fleet.url, hook],
        env={**os.environ, **collector.env},
        capture_output=True,
        text=True,
    )
    assert not done.returncode, done.stderr
    trace_id = done.stdout.strip()
    spans = collector.until(
        lambda spans: (
            len(named(spans, "process", trace_id)) == 2
            and len(named(spans, "batch")) == 2
            and len(named(spans, "POST", trace_id)) == 5
            and named(spans, "work")
        )
    )
    ours = [span for span in spans if span.trace_id == trace_id]
    parents = {span.span_id: span for span in ours}

    def way(span: Span) -> list[str]:
        above = parents.get(span.parent_id)
        return [f"{span.service} {span.kind} {span.name}", *(way(above) if above else [])]

    jobs = {span.attributes["messaging.message.id"]: span for span in named(ours, "process")}
    job = jobs.pop("from-a-program")
    assert way(job) == [
        "wherry-worker consumer process text/embedding",
        "wherry-api producer submit text/embedding",
        "wherry-api server POST /v2/models/{model}/jobs",
        "program client POST",
        "program internal wherry submit",
        "program internal work",
    ]
    call = one(ours, "POST webhook")
    assert way(call)[1:] == way(job)[1:]
    heard = until(lambda: receiver.asked)[0].headers["traceparent"]
    assert heard.startswith(f"00-{trace_id}-{call.span_id}-0")
    assert int(heard[-1]) & 1, "recorded; 2 says that the trace's id is random"
    [waited] = jobs.values()
    assert way(waited)[2:4] == [
        "wherry-api server POST /v2/models/{model}/infer",
        "program client POST",
    ]
    batch = next(s for s in named(spans, "batch") if s.place == job.links[0][:2])
    assert batch.links[0][:2] == (trace_id, job.parent_id)


def test_spans_say_what_the_conventions_name(fleet: Stack, collector: OtlpReceiver) -> None:
    submit(fleet, "told", traceparent())
    came(collector, TRACE, "process", "submit", "POST")
    spans = came(collector, "", "batch")
    asked, sent = one(spans, "POST", TRACE), one(spans, "submit", TRACE)
    done, batch = one(spans, "process", TRACE), one(spans, "batch")
    assert asked.parent_id == PARENT
    assert (
        asked.attributes
        | {
            "http.request.method": "POST",
            "http.route": "/v2/models/{model}/jobs",
            "url.path": "/v2/models/embedding/jobs",
            "url.scheme": "http",
            "http.response.status_code": 202,
            "server.address": "127.0.0.1",
            "server.port": fleet.port,
        }
        == asked.attributes
    )
    both = {
        "messaging.system": "wherry",
        "messaging.destination.name": "text/embedding",
        "messaging.message.id": "told",
        "wherry.model.name": "embedding",
        "wherry.model.version": "1",
    }
    for span, kind in ((sent, "send"), (done, "process")):
        assert span.attributes | both | {"messaging.operation.type": kind} == span.attributes
    assert done.attributes["wherry.job.attempt"] == 1
    assert done.attributes["wherry.job.state"] == "succeeded"
    assert [event.name for event in done.events] == ["claim", "decode", "forward", "finish"]
    assert batch.attributes["messaging.batch.message_count"] == 1
    assert batch.trace_id != TRACE, "it is the child of no job"
    parts = sorted((s for s in spans if s.parent_id == batch.span_id), key=lambda s: s.start_ns)
    assert [part.name for part in parts] == PARTS
    assert all(batch.start_ns <= s.start_ns <= s.end_ns <= batch.end_ns for s in parts)
    assert batch.resource["service.name"] == "wherry-worker"
    assert batch.resource["service.instance.id"].startswith("text-0@")


def test_a_batch_links_the_jobs_of_three_clients(fleet: Stack, collector: OtlpReceiver) -> None:
    traces = [f"{number:032x}" for number in range(1, 4)]
    with held(fleet.data_dir / "hold") as let_go:
        submit(fleet, "first", {}, model="slow")  # has the device
        until(lambda: httpx.get(f"{fleet.url}/v2/jobs/first").json()["status"], "running".__eq__)
        for trace_id in traces:
            submit(fleet, f"of-{trace_id[-1]}", traceparent(trace_id), model="slow")
        let_go()
        collector.until(lambda spans: len(named(spans, "process text/slow")) == 4)
        spans = collector.until(lambda spans: len(named(spans, "submit text/slow")) == 4)
    jobs = [one(spans, "process", trace_id) for trace_id in traces]
    assert len({job.links[0][:2] for job in jobs}) == 1, "all had one batch"
    batch = next(s for s in named(spans, "batch") if s.place == jobs[0].links[0][:2])
    submits = {one(spans, "submit", trace_id).place for trace_id in traces}
    assert {link[:2] for link in batch.links} == submits
    assert {link[2]["messaging.message.id"] for link in batch.links} == {"of-1", "of-2", "of-3"}
    assert batch.attributes["messaging.batch.message_count"] == 3


def test_a_killed_workers_attempt_and_the_next_are_two_spans_of_one_trace(
    fleet: Stack, collector: OtlpReceiver
) -> None:
    with held(fleet.data_dir / "hold") as let_go:
        submit(fleet, "killed", traceparent("c" * 32), model="slow")
        until(lambda: httpx.get(f"{fleet.url}/v2/jobs/killed").json()["status"], "running".__eq__)
        fleet.kill_worker("text")
        let_go()
        collector.until(lambda spans: len(named(spans, "process", "c" * 32)) == 2)
        spans = came(collector, "c" * 32, "submit")
    lost, done = sorted(named(spans, "process", "c" * 32), key=lambda span: span.start_ns)
    assert lost.parent_id == done.parent_id == one(spans, "submit", "c" * 32).span_id
    assert [s.attributes["wherry.job.attempt"] for s in (lost, done)] == [1, 2]
    assert [s.attributes["wherry.job.state"] for s in (lost, done)] == ["lost", "succeeded"]
    assert lost.is_error
    assert lost.attributes["error.type"] == "worker_lost"
    assert not done.is_error


def test_what_its_client_does_not_record_is_recorded_nowhere(
    fleet: Stack, collector: OtlpReceiver, receiver: Receiver
) -> None:
    hook = {"Wherry-Webhook": receiver.url("/hook", host="127.0.0.1")}
    submit(fleet, "unseen", {**traceparent("d" * 32, sampled=False), **hook})
    asked = until(lambda: receiver.asked)[0]
    assert re.fullmatch(f"00-{'d' * 32}-[0-9a-f]{{16}}-00", asked.headers["traceparent"])
    submit(fleet, "seen", traceparent("e" * 32))
    spans = came(collector, "e" * 32, "process", "submit", "POST")
    seen = httpx.get(f"{fleet.url}/v2/jobs/seen").json()
    assert seen["trace_id"] == "e" * 32, "whoever has the job finds its trace"
    assert not [span for span in spans if span.trace_id == "d" * 32]


def test_a_clients_mistake_is_no_error_of_the_servers_span(
    fleet: Stack, collector: OtlpReceiver
) -> None:
    answer = httpx.get(f"{fleet.url}/v2/models/nobody", headers=traceparent())
    assert answer.status_code == 404
    asked = one(collector.until(lambda spans: named(spans, "GET", TRACE)), "GET", TRACE)
    assert asked.attributes["http.response.status_code"] == 404
    assert not asked.is_error


def test_a_call_by_grpc_carries_its_trace_in_metadata(
    fleet: Stack, collector: OtlpReceiver
) -> None:
    given = triton_grpc.InferInput("text", [1], "BYTES")
    given.set_data_from_numpy(np.array([b"hi"], dtype=object))
    with triton_grpc.InferenceServerClient(fleet.grpc_url) as client:
        client.infer("embedding", [given], headers=traceparent("f" * 32))
    spans = came(collector, "f" * 32, "process", "submit", "inference")
    call = one(spans, "inference.GRPCInferenceService/ModelInfer", "f" * 32)
    assert (call.kind, call.parent_id) == ("server", PARENT)
    assert call.attributes == {
        "rpc.system.name": "grpc",
        "rpc.method": "inference.GRPCInferenceService/ModelInfer",
        "rpc.response.status_code": "OK",
    }
    assert one(spans, "submit", "f" * 32).parent_id == call.span_id


def test_what_follows_a_celery_task_carries_its_trace_on(
    fleet: Stack, collector: OtlpReceiver
) -> None:
    sent_from = traceparent("9" * 32)
    with Celery("user", broker=fleet.redis_url, backend=fleet.redis_url) as app:
        follower = app.signature("user.note", queue="followers", immutable=True)
        job = app.signature(
            "wherry.submit",
            kwargs={"model": "embedding", "input": {"texts": ["hi"]}},
            queue="wherry.submit",
        )
        job.apply_async(link=follower, headers=sent_from)
        queue = Queue(fleet.redis_url)
        redis: Any = queue.redis
        message = json.loads(until(lambda: redis.lpop("followers")))
        queue.close()
    spans = came(collector, "9" * 32, "process text", "process wherry.submit", "submit")
    received = one(spans, "process wherry.submit", "9" * 32)
    assert received.parent_id == PARENT
    sent = one(spans, "submit", "9" * 32)
    assert sent.parent_id == received.span_id
    assert message["headers"]["traceparent"].startswith(f"00-{'9' * 32}-{sent.span_id}-0")


def test_who_watches_a_server_leaves_no_spans(fleet: Stack, collector: OtlpReceiver) -> None:
    httpx.get(f"{fleet.url}/v2/health/live")
    httpx.get(f"{fleet.url}/v2")
    spans = collector.until(lambda spans: named(spans, "GET"))
    assert [span.name for span in spans] == ["GET /v2"]


def test_a_record_carries_a_trace_only_where_it_is_recorded(
    fleet: Stack, collector: OtlpReceiver
) -> None:
    submit(fleet, "with", {**traceparent(), "tracestate": "vendor=" + "x" * 100})
    submit(fleet, "without", traceparent(sampled=False))
    queue = Queue(fleet.redis_url)
    redis: Any = queue.redis
    found = {name: redis.hgetall(f"wherry:job:{name}") for name in ("with", "without")}
    queue.close()
    sent = one(collector.until(lambda spans: named(spans, "submit")), "submit")
    assert found["with"][b"trace"].startswith(
        f"00-{TRACE}-{sent.span_id}-01 vendor=x".encode()[:64]
    )
    assert not [field for field in found["without"] if field.startswith(b"trace")]
