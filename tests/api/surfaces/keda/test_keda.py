"""KEDA's calls against a real server, by a client that protoc made; the worker is the test's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from wherry.api.settings import ApiSettings
from wherry.jobs import JobsSettings
from wherry.ops.ports import free_port
from wherry.protocol.errors import Unavailable
from wherry.telemetry.tracer import Tracer

from ....support.keda import Keda
from ...conftest import Server, Worker
from ...keyed import KEYS, write_keys

Code = grpc.StatusCode
Make = Callable[..., Keda]

#: Nothing lasts: what is wanted is what is there.
AT_ONCE = {"scaleDownSeconds": "1", "startSeconds": "0"}


@pytest.fixture(scope="module")
def served(api_settings: ApiSettings, jobs_settings: JobsSettings) -> Iterator[tuple[str, int]]:
    port = free_port()
    settings = api_settings.model_copy(update={"grpc_port": port, "scale_to_zero": "text, vision"})
    with Server(settings, jobs_settings) as url:
        yield url, port


@pytest.fixture
def http(served: tuple[str, int], redis_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served[0], timeout=10) as client:
        yield client


@pytest.fixture
def keda(served: tuple[str, int], tmp_path: Path, redis_url: str) -> Iterator[Make]:
    with grpc.insecure_channel(f"127.0.0.1:{served[1]}") as channel:
        yield lambda **metadata: Keda(tmp_path, channel, **{"family": "text", **metadata})


def test_calls_of_every_kind_are_answered_where_they_are_traced(
    api_settings: ApiSettings,
    jobs_settings: JobsSettings,
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("wherry.telemetry.traces._tracer", Tracer(provider.get_tracer("test")))
    port = free_port()
    settings = api_settings.model_copy(update={"grpc_port": port, "scale_to_zero": "text, vision"})
    with (
        Server(settings, jobs_settings),
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        asked = Keda(tmp_path, channel, family="text")
        assert not asked.active
        stream = asked.stream()
        assert next(stream).result is False
        stream.cancel()
    methods = [span.name.rpartition("/")[2] for span in exporter.get_finished_spans()]
    assert {"IsActive", "StreamIsActive"} <= set(methods)


def submit(http: httpx.Client, asked: Any) -> None:
    assert http.post("/v2/models/embedding/jobs", json=asked).status_code == 202


def refusal(call: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code(), caught.value.details()


def test_a_family_without_work_or_worker_is_inactive(keda: Make) -> None:
    asked = keda()
    assert not asked.active
    assert asked.spec == ("wherry-text-workers", 1.0)
    assert asked.value() == 0


def test_the_first_job_of_a_family_without_worker_makes_it_active(
    keda: Make, http: httpx.Client, texts: Callable[..., Any]
) -> None:
    asked = keda()
    assert not asked.active
    submit(http, texts("a"))
    assert asked.active
    assert asked.value() == 1
    assert not keda(family="vision").active


def test_a_stream_is_told_of_the_first_job_at_once(
    keda: Make, http: httpx.Client, texts: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wherry.api.surfaces.keda.service._LOOK_EVERY_S", 1000.0)
    stream = keda().stream()
    try:
        assert next(stream).result is False
        submit(http, texts("a"))
        assert next(stream).result is True
    finally:
        stream.cancel()


def test_a_stream_is_told_that_the_work_is_over(
    keda: Make,
    http: httpx.Client,
    worker: Worker,
    texts: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wherry.api.surfaces.keda.service._LOOK_EVERY_S", 0.05)
    submit(http, texts("a"))
    stream = keda(**AT_ONCE).stream()
    try:
        assert next(stream).result is True
        assert worker.serve() == 1
        assert next(stream).result is False
    finally:
        stream.cancel()


def test_what_runs_keeps_its_workers_though_nothing_waits(
    keda: Make, http: httpx.Client, worker: Worker, texts: Callable[..., Any]
) -> None:
    asked = keda(**AT_ONCE)
    submit(http, texts("a"))
    worker.beat("text", models=("embedding",))
    [(job, stats)] = worker.claim()
    assert asked.active
    assert asked.value() == 1
    worker.finish(worker.answer(job, stats), stats)


def test_workers_are_wanted_by_the_rows_and_the_time_allowed(
    keda: Make, http: httpx.Client, texts: Callable[..., Any]
) -> None:
    for _ in range(36):
        submit(http, texts(*map(str, range(64))))  # 230 s, by 0.1 s a row while nobody knows
    assert keda(targetWaitSeconds="100", startSeconds="0").value() == 3
    assert keda(targetWaitSeconds="1000", startSeconds="0").value() == 1
    assert keda(targetWaitSeconds="100", startSeconds="0", maxWorkers="2").value() == 2
    assert keda(targetWaitSeconds="1000", minWorkers="5").value() == 5


def test_bulk_jobs_alone_may_wait_for_longer(
    keda: Make, http: httpx.Client, texts: Callable[..., Any]
) -> None:
    for _ in range(36):
        bulk = texts(*map(str, range(64)), parameters={"priority": 9})
        submit(http, bulk)
    assert keda(targetWaitSeconds="100", startSeconds="0").value() == 1
    assert keda(bulkTargetWaitSeconds="100", startSeconds="0").value() == 3


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"family": "sight"}, "metadata.family is one of vision, audio, text, multimodal"),
        ({"targetWaitSecond": "3"}, "did you mean 'targetWaitSeconds'?"),
        ({"targetWaitSeconds": "soon"}, "metadata.targetWaitSeconds is a number from 1 on"),
        ({"targetWaitSeconds": "0"}, "metadata.targetWaitSeconds is a number from 1 on"),
        ({"targetWaitSeconds": "inf"}, "metadata.targetWaitSeconds is a number from 1 on"),
        ({"minWorkers": "1.5"}, "metadata.minWorkers is a whole number"),
        ({"minWorkers": "3", "maxWorkers": "2"}, "maxWorkers is less than minWorkers"),
    ],
)
def test_a_trigger_that_means_nothing_is_refused_by_name(
    keda: Make, metadata: dict[str, str], said: str
) -> None:
    asked = keda(**metadata)
    for call in (lambda: asked.active, lambda: asked.spec, lambda: next(asked.stream())):
        code, told = refusal(call)
        assert code is Code.INVALID_ARGUMENT
        assert said in told


def test_what_keda_adds_to_the_metadata_is_no_fault(keda: Make) -> None:
    assert not keda(scalerAddress="wherry-api:9000", enableTLS="false").active


def test_another_metric_is_refused_and_a_newer_call_is_unknown(keda: Make) -> None:
    assert refusal(lambda: keda().value("s0-other"))[0] is Code.INVALID_ARGUMENT
    assert refusal(lambda: next(keda().metric_stream()))[0] is Code.UNIMPLEMENTED


def test_a_queue_that_is_away_is_an_error_by_which_keda_leaves_the_workers_alone(
    keda: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(*_: object) -> None:
        raise Unavailable("the queue cannot be reached")

    monkeypatch.setattr("wherry.api.surfaces.keda.service.scaling_of", gone)
    assert refusal(lambda: keda().active)[0] is Code.UNAVAILABLE
    assert refusal(lambda: next(keda().stream()))[0] is Code.UNAVAILABLE


@pytest.fixture(scope="module")
def keyed_port(
    api_settings: ApiSettings,
    jobs_settings: JobsSettings,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[int]:
    port, file = free_port(), write_keys(tmp_path_factory.mktemp("keys") / "keys.toml")
    settings = api_settings.model_copy(update={"grpc_port": port, "api_keys": file})
    with Server(settings, jobs_settings.model_copy(update={"key_prefix": "keyed-keda"})):
        yield port


def test_with_api_keys_the_admins_key_is_wanted_in_the_metadata(
    keyed_port: int, tmp_path: Path
) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{keyed_port}") as channel:

        def keda(**metadata: str) -> Keda:
            return Keda(tmp_path, channel, family="text", **metadata)

        assert refusal(lambda: keda().active)[0] is Code.UNAUTHENTICATED
        assert refusal(lambda: next(keda().stream()))[0] is Code.UNAUTHENTICATED
        assert refusal(lambda: keda(apiKey=KEYS["acme"].token).active)[0] is Code.PERMISSION_DENIED
        assert not keda(apiKey=KEYS["admin"].token).active
        assert not keda(apiKeyFromEnv=KEYS["admin"].token).active
