"""Webhooks from a job's end to their receiver: a real API, a real Redis, a real receiver."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import standardwebhooks
from pydantic import SecretStr

from wherry.api.egress.outbound import Outbound
from wherry.api.settings import ApiSettings
from wherry.client.webhooks import verify
from wherry.jobs import JobsSettings, Outcome, Queue

from ...support.receiver import Receiver, status
from ...support.waiting import until
from ..conftest import Server, Worker

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
NEXT_SECRET = "whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="

CALLING = {
    "webhook_hosts": "127.0.0.1:*",
    "webhook_schemes": "http",
    "outbound_networks": "127.0.0.1/32",
    "webhook_secrets": SecretStr(f"{SECRET},{NEXT_SECRET}"),
    "webhook_timeout_s": 1.0,
    "webhook_first_pause_s": 0.02,
    "webhooks_at_once": 8,
    "public_url": "https://fleet.example.org/",
}

TEXT = {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["hi"]}]}
JOBS = "/v2/models/embedding/jobs"


@pytest.fixture(scope="module")
def jobs(jobs_settings: JobsSettings) -> JobsSettings:
    return jobs_settings.model_copy(update={"key_prefix": "hooked"})


@pytest.fixture(scope="module")
def calling_url(api_settings: ApiSettings, jobs: JobsSettings) -> Iterator[str]:
    with Server(api_settings.model_copy(update=CALLING), jobs) as url:
        yield url


@pytest.fixture
def calling(calling_url: str, redis_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=calling_url, timeout=10) as client:
        yield client


@pytest.fixture
def worker(redis_url: str, jobs: JobsSettings, models_file: Path) -> Iterator[Worker]:
    worker = Worker(Queue(redis_url), jobs, models_file)
    yield worker
    worker.close()


def totals(http: httpx.Client) -> Counter[str]:
    return Counter(http.get("/v2/webhooks").json()["totals"])


def submit(http: httpx.Client, url: str, job_id: str, **fields: Any) -> httpx.Response:
    return http.post(JOBS, json={**TEXT, "id": job_id, **fields}, headers={"Wherry-Webhook": url})


def test_the_end_of_a_job_is_told_signed_and_once(
    calling: httpx.Client, worker: Worker, receiver: Receiver
) -> None:
    receiver.answers["/hook"] = status(204)
    url = receiver.url("/hook?token=1", host="127.0.0.1")
    assert submit(calling, url, "größe/1").status_code == 202
    worker.serve()
    until(lambda: totals(calling)["delivered"])
    [call] = receiver.asked
    assert (call.method, call.path) == ("POST", "/hook?token=1")
    assert call.headers["content-type"] == "application/json"
    for secret in (SECRET, NEXT_SECRET):
        told = standardwebhooks.Webhook(secret).verify(call.body, call.headers)
        assert verify(call.headers, call.body, secret).data == told["data"]
    assert told["type"] == "job.succeeded"
    assert told["data"]["id"] == "größe/1"
    assert told["timestamp"] == told["data"]["finished_at"]
    path = "/v2/jobs/gr%C3%B6%C3%9Fe%2F1"
    assert told["data"]["result_url"] == f"https://fleet.example.org{path}/result"
    assert calling.get(path).json()["status"] == "succeeded"
    assert calling.get("/v2/webhooks?status=waiting").json()["webhooks"] == []


def test_every_kind_of_end_is_told(
    calling: httpx.Client, worker: Worker, receiver: Receiver
) -> None:
    receiver.answers["/"] = status(200)
    url = receiver.url(host="127.0.0.1")
    submit(calling, url, "canceled")
    calling.post("/v2/jobs/canceled/cancel")
    submit(calling, url, "failed")
    [(job, stats)] = worker.claim()
    worker.finish(Outcome(id=job.id, attempt=1, error_type="backend_error", error="no"), stats)
    submit(calling, url, "expired", parameters={"timeout": 1000})
    late = time.time() + 0.002
    until(lambda: time.time() > late)
    until(lambda: not worker.claim() and calling.get("/v2/jobs/expired").json()["finished_at"])
    until(lambda: totals(calling)["delivered"] == 3)
    told = {json.loads(call.body)["type"]: json.loads(call.body) for call in receiver.asked}
    assert set(told) == {"job.canceled", "job.failed", "job.expired"}
    assert told["job.failed"]["data"]["error"] == {"type": "backend_error", "message": "no"}


def test_a_parameter_asks_too_and_goes_before_the_header(
    calling: httpx.Client, worker: Worker, receiver: Receiver
) -> None:
    receiver.answers["/mine"] = status(200)
    url = receiver.url("/header", host="127.0.0.1")
    mine = {"webhook": receiver.url("/mine", host="127.0.0.1")}
    assert submit(calling, url, "a", parameters=mine).status_code == 202
    # It is about who hears of the job, not about the job.
    assert submit(calling, "", "a").status_code == 202
    worker.serve()
    until(lambda: totals(calling)["delivered"])
    assert [call.path for call in receiver.asked] == ["/mine"]
    result = calling.get("/v2/jobs/a/result").json()
    assert "warning" not in result.get("parameters", {})


def test_a_receiver_that_fails_hears_again_under_the_same_id(
    calling: httpx.Client, worker: Worker, receiver: Receiver
) -> None:
    answers = [status(500), status(302, location="/other"), lambda _: receiver.open.wait(5)]
    receiver.answers["/"] = lambda handler: (answers.pop(0) if answers else status(200))(handler)
    submit(calling, receiver.url(host="127.0.0.1"), "a")
    worker.serve()
    until(lambda: totals(calling)["delivered"])
    assert len(receiver.asked) == 4
    assert len({call.headers["webhook-id"] for call in receiver.asked}) == 1
    assert len({call.body for call in receiver.asked}) == 1
    for call in receiver.asked:
        standardwebhooks.Webhook(SECRET).verify(call.body, call.headers)


def test_retry_after_is_kept(calling: httpx.Client, worker: Worker, receiver: Receiver) -> None:
    receiver.answers["/"] = status(503, retry_after="3000")
    submit(calling, receiver.url("/?secret=1", host="127.0.0.1"), "a")
    worker.serve()
    until(lambda: receiver.asked)
    [waiting] = until(
        lambda: [
            one
            for one in calling.get("/v2/webhooks?status=waiting").json()["webhooks"]
            if one["tries"]
        ]
    )
    assert waiting["due_at"] > waiting["since"]
    assert waiting["error"] == "answered 503"
    assert waiting["url"] == receiver.url("/", host="127.0.0.1")
    due_ms = worker.queue.redis.zrange("hooked:webhooks:due", 0, 0, withscores=True)[0][1]
    assert float(due_ms) / 1000 - time.time() > 2900


def test_410_gives_up_and_an_operator_tries_again(
    calling: httpx.Client, worker: Worker, receiver: Receiver
) -> None:
    receiver.answers["/"] = status(410)
    submit(calling, receiver.url(host="127.0.0.1"), "a")
    worker.serve()
    until(lambda: totals(calling)["failed"])
    found = calling.get("/v2/webhooks").json()
    assert (found["waiting"], found["failed"]) == (0, 1)
    [given_up] = found["webhooks"]
    assert (given_up["job_id"], given_up["tries"], given_up["error"]) == ("a", 1, "answered 410")
    receiver.answers["/"] = status(200)
    assert calling.post("/v2/webhooks:retry", json={"job_ids": ["b"]}).json() == {"retried": 0}
    assert calling.post("/v2/webhooks:retry", json={"job_ids": ["a"]}).json() == {"retried": 1}
    until(lambda: totals(calling)["delivered"])
    assert len({call.headers["webhook-id"] for call in receiver.asked}) == 1
    assert calling.post("/v2/webhooks:retry").json() == {"retried": 0}
    assert calling.post("/v2/webhooks:retry", json={"job_ids": []}).status_code == 400
    assert calling.get("/v2/webhooks?status=odd").status_code == 400


def test_time_gives_up(
    api_settings: ApiSettings, jobs: JobsSettings, worker: Worker, receiver: Receiver
) -> None:
    other = jobs.model_copy(update={"key_prefix": "brief"})
    settings = api_settings.model_copy(update={**CALLING, "webhook_retry_s": 1})
    receiver.answers["/"] = status(500)
    with Server(settings, other) as url, httpx.Client(base_url=url, timeout=60) as http:
        submit(http, receiver.url(host="127.0.0.1"), "a")
        http.post("/v2/jobs/a/cancel")
        until(lambda: totals(http)["failed"])
    assert len(receiver.asked) > 1


def test_two_processes_share_the_work_and_tell_each_end_once(
    calling: httpx.Client,
    worker: Worker,
    receiver: Receiver,
    api_settings: ApiSettings,
    jobs: JobsSettings,
) -> None:
    receiver.answers["/"] = status(200)
    with Server(api_settings.model_copy(update=CALLING), jobs):
        for number in range(30):
            submit(calling, receiver.url(host="127.0.0.1"), f"job-{number}")
        worker.serve()
        until(lambda: totals(calling)["delivered"] == 30)
    ids = Counter(call.headers["webhook-id"] for call in receiver.asked)
    assert len(ids) == 30
    assert set(ids.values()) == {1}


def test_a_receiver_that_hangs_leaves_hands_for_others(
    calling: httpx.Client, worker: Worker, receiver: Receiver
) -> None:
    good = Receiver()
    good.answers["/"] = status(200)
    receiver.answers["/"] = lambda _: receiver.open.wait(20)
    try:
        for number in range(30):
            submit(calling, receiver.url(host="127.0.0.1"), f"bad-{number}")
        submit(calling, good.url(host="127.0.0.1"), "good")
        worker.serve()
        until(lambda: good.asked)
        # All eight places once; then two of them, while the others look after others.
        assert len(receiver.asked) <= 12
    finally:
        good.close()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://example.org/hook", "webhook: host 'example.org' is not in WHERRY_WEBHOOK_HOSTS"),
        ("https://127.0.0.1/hook", "webhook: scheme 'https' is not allowed; WHERRY_WEBHOOK_S"),
        ("http://me:secret@127.0.0.1/", "webhook: host '127.0.0.1': no user and password"),
        ("nonsense", "webhook: scheme ''"),
    ],
)
def test_a_webhook_that_is_not_allowed_is_refused_at_submit(
    calling: httpx.Client, worker: Worker, url: str, says: str
) -> None:
    answer = submit(calling, url, "a")
    assert answer.status_code == 400
    assert says in answer.json()["error"]
    by_parameter = calling.post(JOBS, json={**TEXT, "parameters": {"webhook": url}})
    assert by_parameter.json()["error"] == answer.json()["error"]
    assert calling.get("/v2/jobs/a").status_code == 404


def test_a_name_at_a_private_address_is_refused_at_submit(
    api_settings: ApiSettings, jobs: JobsSettings, redis_url: str
) -> None:
    anyone = {**CALLING, "webhook_hosts": "*", "outbound_networks": ""}
    settings = api_settings.model_copy(update=anyone)
    with Server(settings, jobs) as url, httpx.Client(base_url=url, timeout=60) as http:
        answer = submit(http, "http://localhost/hook", "a")
        assert "host 'localhost': not at a public address" in answer.json()["error"]
        assert http.get("/v2/jobs/a").status_code == 404


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("webhook_secrets", SecretStr("whsec_c2hvcnQ=")),
        ("webhook_schemes", "http gopher"),
        ("outbound_networks", "here"),
    ],
)
def test_settings_that_cannot_be_read_keep_the_api_from_starting(
    api_settings: ApiSettings, setting: str, value: object
) -> None:
    with pytest.raises(ValueError, match="WHERRY_") as refused:
        Outbound(api_settings.model_copy(update={**CALLING, setting: value}))
    assert "c2hvcnQ" not in str(refused.value)


@pytest.mark.parametrize("missing", ["webhook_hosts", "webhook_secrets"])
def test_webhooks_are_refused_until_hosts_and_a_secret_are_set(
    api_settings: ApiSettings, jobs: JobsSettings, redis_url: str, missing: str
) -> None:
    off = SecretStr("") if missing == "webhook_secrets" else ""
    settings = api_settings.model_copy(update={**CALLING, missing: off})
    with Server(settings, jobs) as url, httpx.Client(base_url=url, timeout=60) as http:
        answer = submit(http, "http://127.0.0.1/", "a")
        assert answer.status_code == 400
        assert "WHERRY_WEBHOOK_HOSTS and WHERRY_WEBHOOK_SECRETS" in answer.json()["error"]
