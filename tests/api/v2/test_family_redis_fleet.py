"""What operators and autoscalers see of a fleet over two Redis servers, and with one lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import typer
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from wherry.api.settings import ApiSettings
from wherry.client import job_commands
from wherry.jobs import Queue
from wherry.jobs.drain import drain_asked
from wherry.jobs.record import BatchStats
from wherry.ops.ports import free_port

from ...support.keda import Keda
from ...support.redis_servers import RedisServers, redis_servers
from ...support.waiting import until
from ..conftest import Server, Worker

Job = dict[str, object]

APP = typer.Typer()
job_commands.register(APP)

#: A model at home, and one of a family with a Redis of its own.
MODELS = {"home": "text-to-speech", "text": "embedding"}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServers]:
    with redis_servers(tmp_path_factory.mktemp("servers"), "text") as found:
        yield found


@pytest.fixture
def http(api_settings: ApiSettings, servers: RedisServers) -> Iterator[httpx.Client]:
    servers.flush()
    with (
        Server(api_settings, servers.settings) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        yield client


@pytest.fixture
def workers(servers: RedisServers, models_file: Any) -> Iterator[dict[str, Worker]]:
    """A worker that the test drives on each Redis."""
    found = {
        name: Worker(Queue(one.url), servers.settings.serving([family]), models_file)
        for (name, one), family in zip(servers.servers.items(), ("audio", "text"), strict=True)
    }
    yield found
    for worker in found.values():
        worker.close()


@pytest.fixture
def text_away(servers: RedisServers) -> Iterator[Callable[[], None]]:
    """Ends the Redis of text, until the end of the test."""
    server = servers.servers["text"]
    yield server.kill
    server.kill()
    server.start()


@pytest.fixture
def text_silent(servers: RedisServers) -> Iterator[Callable[[], None]]:
    """Has the Redis of text say nothing, until the end of the test."""
    server = servers.servers["text"]
    yield lambda: os.kill(server.pid, signal.SIGSTOP)
    os.kill(server.pid, signal.SIGCONT)


def submit(http: httpx.Client, where: str, request: Job) -> None:
    assert http.post(f"/v2/models/{MODELS[where]}/jobs", json=request).status_code == 202


def scaled(http: httpx.Client) -> dict[str, dict[str, Any]]:
    return {each["family"]: each for each in http.get("/v2/scaling").json()["families"]}


def test_each_familys_work_is_predicted_from_its_redis(
    http: httpx.Client, workers: dict[str, Worker], texts: Callable[..., Job]
) -> None:
    for where in MODELS:
        submit(http, where, texts(*"abcd"))
    [(job, stats)] = workers["text"].claim()
    took = BatchStats(group=stats.group, rows=4, max_rows=4, executions=1, compute_us=800_000)
    workers["text"].finish(workers["text"].answer(job, stats), took)
    submit(http, "text", texts(*"abcd"))
    found = scaled(http)
    assert (found["audio"]["waiting"], found["text"]["waiting"]) == (1, 1)
    assert found["text"]["predicted_device_seconds"] == pytest.approx(0.8), "as its batch took"
    assert found["text"]["models"][0]["known"]


def test_a_family_that_cannot_be_asked_is_not_said_to_want_no_workers(
    http: httpx.Client, texts: Callable[..., Job], text_away: Callable[[], None]
) -> None:
    for where in MODELS:
        submit(http, where, texts("a"))
    text_away()
    until(lambda: http.get("/v2/scaling").json().get("away") == ["text"])
    found = scaled(http)
    assert found["audio"]["waiting"] == 1
    assert "text" not in found


def test_keda_is_told_of_jobs_on_any_redis_and_of_none_that_cannot_be_asked(
    api_settings: ApiSettings,
    servers: RedisServers,
    texts: Callable[..., Job],
    text_away: Callable[[], None],
    tmp_path: Path,
) -> None:
    servers.flush()
    port = free_port()
    settings = api_settings.model_copy(update={"grpc_port": port, "scale_to_zero": "*"})
    with (
        Server(settings, servers.settings) as url,
        httpx.Client(base_url=url, timeout=20) as http,
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        text, audio = (Keda(tmp_path, channel, family=each) for each in ("text", "audio"))
        told = text.stream()
        assert not next(told).result
        submit(http, "text", texts("a"))
        assert next(told).result, "as soon as the Redis of text has a job"
        told.cancel()
        assert (text.value(), audio.value()) == (1, 0)
        text_away()
        until(lambda: http.get("/v2/scaling").json().get("away") == ["text"])
        with pytest.raises(grpc.RpcError) as caught:
            text.value()
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert audio.value() == 0


def test_a_worker_is_drained_wherever_it_is(
    http: httpx.Client, workers: dict[str, Worker], text_away: Callable[[], None]
) -> None:
    for where, worker in workers.items():
        node = f"{where}@here"
        worker.beat(where, node=node, version="1")
        assert http.post(f"/v2/workers/{node}/drain").status_code == 202
        assert worker.queue.run(drain_asked(node, worker.jobs)) is not None
        assert http.post(f"/v2/workers/{node}/undrain").status_code == 202
        assert worker.queue.run(drain_asked(node, worker.jobs)) is None
    text_away()
    answer = http.post("/v2/workers/text@here/undrain")
    assert (answer.status_code, "the Redis of text" in answer.text) == (503, True)


def test_a_cancel_by_kind_says_whose_jobs_it_could_not_see(
    http: httpx.Client, texts: Callable[..., Job], text_away: Callable[[], None]
) -> None:
    for where in MODELS:
        submit(http, where, texts("a"))
    text_away()
    url = str(http.base_url)
    for command in (["jobs"], ["jobs", "--json"], ["cancel", "--all", "--dry-run"]):
        seen = CliRunner().invoke(APP, [*command, "--url", url])
        assert (seen.exit_code, "jobs of text are not among these" in seen.stderr) == (1, True)
        assert "text-to-speech" in seen.stdout
    done = CliRunner().invoke(APP, ["cancel", "--all", "--url", url])
    assert (done.exit_code, "canceled 1" in done.stdout) == (1, True)
    assert "jobs of text" in done.stderr


def test_metrics_are_of_all_and_do_not_fall_with_one(
    http: httpx.Client,
    workers: dict[str, Worker],
    texts: Callable[..., Job],
    text_away: Callable[[], None],
) -> None:
    for where, worker in workers.items():
        submit(http, where, texts("a"))
        assert worker.serve() == 1
        submit(http, where, texts("a"))

    def read() -> dict[str, float]:
        page = text_string_to_metric_families(http.get("/metrics").text)
        return {
            " ".join(
                (each.name, *filter(None, map(each.labels.get, sorted(each.labels))))
            ): each.value
            for metric in page
            for each in metric.samples
        }

    until(lambda: read().get("wherry_jobs_submitted_total") == 4)
    before = read()
    assert before["wherry_jobs_ended_total embedding succeeded 2"] == 1
    assert before["wherry_jobs_ended_total text-to-speech succeeded 1"] == 1
    assert before["wherry_redis_memory_bytes used text"] > 0
    text_away()
    until(lambda: read()["wherry_redis_up text"] == 0)
    now = read()
    assert now["wherry_redis_up home"] == 1
    fleets = [name for name in before if name.startswith(("wherry_jobs_sub", "wherry_jobs_ended"))]
    assert len(fleets) > 4
    assert {name: now[name] for name in fleets} == {name: before[name] for name in fleets}
    assert "wherry_redis_memory_bytes used text" not in now
    assert "wherry_desired_workers audio" in now
    assert "wherry_desired_workers text" not in now


def test_a_silent_redis_makes_no_other_seem_so(
    http: httpx.Client, text_silent: Callable[[], None]
) -> None:
    def up() -> dict[str, float]:
        page = text_string_to_metric_families(http.get("/metrics").text)
        [found] = [metric for metric in page if metric.name == "wherry_redis_up"]
        return {each.labels["redis"]: each.value for each in found.samples}

    until(up, lambda seen: seen == {"home": 1, "text": 1})
    text_silent()
    seen = until(up, lambda seen: seen != {"home": 1, "text": 1})
    assert seen == {"home": 1, "text": 0}
