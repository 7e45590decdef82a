"""How many workers are wanted, as HTTP tells it; and families that may have none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from wherry.api.settings import ApiSettings
from wherry.jobs import JobsSettings
from wherry.jobs.facts import tell_facts
from wherry.jobs.failed import set_failed
from wherry.jobs.record import BatchStats

from ..conftest import Server, Worker
from ..keyed import Tenants

Texts = Callable[..., Any]


@pytest.fixture(scope="module")
def zero_url(api_settings: ApiSettings, jobs_settings: JobsSettings) -> Iterator[str]:
    settings = api_settings.model_copy(
        update={"scale_to_zero": "text", "scaling_start_s": 0, "scaling_target_wait_s": 10}
    )
    with Server(settings, jobs_settings) as url:
        yield url


@pytest.fixture
def zero(zero_url: str, redis_url: str) -> Iterator[httpx.Client]:
    """A server whose texts may have no worker."""
    with httpx.Client(base_url=zero_url, timeout=10) as client:
        yield client


def of_family(http: httpx.Client, family: str = "text") -> dict[str, Any]:
    found: dict[str, Any]
    [found] = [f for f in http.get("/v2/scaling").json()["families"] if f["family"] == family]
    return found


def submit(http: httpx.Client, asked: Any) -> str:
    answer = http.post("/v2/models/embedding/versions/1/jobs", json=asked)
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["id"]
    return job_id


def test_every_family_is_told_with_how_it_was_computed(http: httpx.Client) -> None:
    families = http.get("/v2/scaling").json()["families"]
    assert [each["family"] for each in families] == ["audio", "multimodal", "text", "vision"]
    for each in families:
        assert each["desired_workers"] == each["waiting"] == each["running"] == 0
        assert each["predicted_device_seconds"] == 0
        assert each["because"] == "idle"
        assert each["target_wait_s"] == 30
        assert each["computed"]["start_s"] == 30


def test_a_model_nobody_knows_counts_as_the_settings_say(http: httpx.Client, texts: Texts) -> None:
    submit(http, texts("a", "b", "c"))
    found = of_family(http)
    assert (found["waiting"], found["predicted_device_seconds"]) == (1, 0.3)
    assert found["desired_workers"] == 1
    assert found["models"] == [
        {
            "model": "embedding",
            "version": "1",
            "waiting": 1,
            "waiting_rows": 3,
            "running": 0,
            "running_rows": 0,
            "predicted_device_seconds": 0.3,
            "known": False,
        }
    ]


def test_what_batches_took_is_what_the_next_will(
    zero: httpx.Client, worker: Worker, texts: Texts
) -> None:
    worker.beat("text", models=("embedding",))
    submit(zero, texts(*"abcd"))
    [(job, stats)] = worker.claim()
    took = BatchStats(group=stats.group, rows=4, max_rows=4, executions=1, compute_us=800_000)
    worker.finish(worker.answer(job, stats), took)
    for _ in range(8):
        submit(zero, texts(*"abcd"))
    found = of_family(zero)
    assert found["models"][0]["known"]
    assert found["predicted_device_seconds"] == pytest.approx(6.4)  # 32 rows
    assert found["desired_workers"] == 1  # one batch
    for _ in range(32):
        submit(zero, texts(*"abcd"))
    found = of_family(zero)
    assert found["predicted_device_seconds"] == pytest.approx(32)
    assert 4 <= found["desired_workers"] <= 5  # in ten seconds, less what they have waited


def test_both_lanes_are_told_apart(http: httpx.Client, texts: Texts) -> None:
    submit(http, texts("a"))
    submit(http, texts("b", "c", parameters={"priority": 9}))
    found = of_family(http)["computed"]
    assert (found["interactive"]["waiting"], found["bulk"]["waiting"]) == (1, 1)
    assert (found["interactive"]["device_seconds"], found["bulk"]["device_seconds"]) == (0.1, 0.2)


def test_a_workers_life_and_work_are_told(http: httpx.Client, worker: Worker, texts: Texts) -> None:
    worker.beat("text", models=("embedding",))
    submit(http, texts("a"))
    claimed = worker.claim()
    found = of_family(http)
    assert (found["waiting"], found["running"]) == (0, 1)
    assert (found["workers"], found["busy_workers"], found["desired_workers"]) == (1, 1, 1)
    worker.beat("text", models=("embedding",), state="draining")
    assert of_family(http)["workers"] == 0  # it goes anyway
    for job, stats in claimed:
        worker.finish(worker.answer(job, stats), stats)


def test_loads_count_by_how_long_they_took(http: httpx.Client, worker: Worker) -> None:
    worker.queue.run(tell_facts("embedding/1", {"labels": [], "load_s": 12.5}, worker.jobs))
    worker.queue.run(tell_facts("embedding/2", {"labels": [], "load_s": 2.5}, worker.jobs))
    assert of_family(http)["computed"]["start_s"] == 45
    # One that sleeps is not loaded at a worker's start, but when a job comes.
    worker.beat("text", models=("embedding",), load_ms={"embedding/1": 12_500})
    assert of_family(http)["computed"]["start_s"] == 32.5


def test_a_load_that_a_job_waits_for_is_work(
    http: httpx.Client, worker: Worker, texts: Texts
) -> None:
    submit(http, texts("a"))
    before = of_family(http)["computed"]["interactive"]["worker_seconds"]
    worker.beat(
        "text",
        models=("embedding",),
        served=["embedding/1"],
        asleep=["embedding/1"],
        load_ms={"embedding/1": 9000},
    )
    after = of_family(http)["computed"]["interactive"]["worker_seconds"]
    assert after == pytest.approx(before + 9)


def test_it_is_the_operators(tenants: Tenants) -> None:
    assert tenants[""].get("/v2/scaling").status_code == 401
    assert tenants["acme"].get("/v2/scaling").status_code == 403
    assert tenants["admin"].get("/v2/scaling").status_code == 200


def test_a_job_for_a_family_without_worker_waits_and_is_not_refused(
    zero: httpx.Client, worker: Worker, texts: Texts
) -> None:
    job_id = submit(zero, texts("a"))
    assert zero.get(f"/v2/jobs/{job_id}").json()["status"] == "queued"
    assert worker.serve() == 1
    assert zero.get(f"/v2/jobs/{job_id}/result").status_code == 200


def test_a_family_that_may_have_no_worker_keeps_the_server_ready(
    zero: httpx.Client, worker: Worker
) -> None:
    """Else Kubernetes would send the API no request, nor the scaler's, and no worker would come."""
    worker.beat("vision", "audio", "multimodal")
    assert zero.get("/v2/health/ready").json() == {"ready": True}


def test_a_family_that_must_have_one_still_does_not(zero: httpx.Client, worker: Worker) -> None:
    worker.beat("vision", "multimodal")
    answer = zero.get("/v2/health/ready")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["no worker for family 'audio'"]


def test_models_of_such_a_family_are_ready_and_cold(zero: httpx.Client, worker: Worker) -> None:
    assert zero.get("/v2/models/embedding/ready").status_code == 200
    assert zero.get("/v2/models/object-detection/ready").status_code == 503
    status = {e["name"]: e["status"] for e in zero.post("/v2/repository/index").json()}
    assert (status["embedding"], status["object-detection"]) == ("cold", "unserved")
    # A worker on its start changes nothing; one that does not serve the model does.
    worker.beat("text", state="loading")
    assert zero.get("/v2/models/embedding/ready").status_code == 200
    worker.beat("text", models=("summarization",), state="ready")
    assert zero.get("/v2/models/embedding/ready").status_code == 503


def test_a_model_that_failed_is_not_ready_for_that(zero: httpx.Client, worker: Worker) -> None:
    worker.queue.run(set_failed({"embedding/1": "broken", "embedding/2": "broken"}, worker.jobs))
    assert zero.get("/v2/models/embedding/ready").status_code == 503


def test_a_family_that_there_is_not_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="no family 'sight'; there are vision, audio"):
        ApiSettings(scale_to_zero="text,sight")


def test_prometheus_is_told_the_same(http: httpx.Client, texts: Texts) -> None:
    submit(http, texts("a", "b", "c"))
    assert metric(http, "wherry_desired_workers") == {"text": 1.0} | dict.fromkeys(OTHERS, 0.0)
    assert metric(http, "wherry_predicted_device_seconds")["text"] == pytest.approx(0.3)


OTHERS = ("audio", "multimodal", "vision")


def metric(http: httpx.Client, name: str) -> dict[str, float]:
    """A gauge's values by family, as Prometheus' own reader finds them."""
    families = text_string_to_metric_families(http.get("/metrics").text)
    [found] = [each for each in families if each.name == name]
    return {sample.labels["family"]: sample.value for sample in found.samples}
