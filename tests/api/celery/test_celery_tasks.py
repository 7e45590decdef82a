"""Celery's messages at a real API over a real Redis; the worker is played by the test."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from celery import Celery

from wherry.api.celery.messages import KEY_HEADER
from wherry.api.settings import ApiSettings
from wherry.jobs import JobsSettings, Queue
from wherry.jobs.celery_tasks import SUBMIT, revoke_task, take_tasks
from wherry.jobs.read import read
from wherry.jobs.recover import cancel

from ...support.waiting import until
from ..conftest import Server, Worker
from ..keyed import KEYS, write_keys

QUEUE = "celerys.submit"
EMBED = {"model": "embedding", "input": {"texts": ["hi"]}}


@pytest.fixture
def jobs(jobs_settings: JobsSettings, redis_url: str) -> JobsSettings:
    """An emptied Redis, and a prefix that no other test's API has."""
    return jobs_settings.model_copy(update={"key_prefix": "celerys"})


@pytest.fixture
def user(redis_url: str) -> Iterator[Celery]:
    """Somebody's app."""
    with Celery("user", broker=redis_url, set_as_current=False) as app:
        app.conf.task_routes = {SUBMIT: {"queue": QUEUE}}
        yield app


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def worker(jobs: JobsSettings, models_file: Path) -> Iterator[Worker]:
    worker = Worker(Queue(jobs.redis_url), jobs, models_file)
    worker.beat("vision", "text")
    yield worker
    worker.close()


@contextmanager
def serving(api: ApiSettings, jobs: JobsSettings, **settings: Any) -> Iterator[httpx.Client]:
    told = api.model_copy(update=settings)
    with Server(told, jobs) as url, httpx.Client(base_url=url, timeout=10) as client:
        yield client


class Results:
    """What Celery's backend has."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def of(self, task_id: str) -> dict[str, Any]:
        found = until(lambda: self._client.get(f"celery-task-meta-{task_id}"))
        assert isinstance(found, bytes)
        told: dict[str, Any] = json.loads(found)
        return told

    def has(self, task_id: str) -> bool:
        return bool(self._client.exists(f"celery-task-meta-{task_id}"))


@pytest.fixture
def results(redis_client: redis.Redis) -> Results:
    return Results(redis_client)


def known(worker: Worker, job_id: str) -> Any:
    return worker.queue.run(read([job_id], worker.jobs))[0]


def answered(worker: Worker, results: Results, task_id: str) -> dict[str, Any]:
    """A task's result, while the worker answers whatever waits."""

    def told() -> bool:
        worker.serve()
        return results.has(task_id)

    until(told)
    return results.of(task_id)


def test_a_message_that_comes_twice_is_one_job(
    api_settings: ApiSettings,
    jobs: JobsSettings,
    user: Celery,
    worker: Worker,
    results: Results,
    redis_client: redis.Redis,
) -> None:
    sent = user.send_task(SUBMIT, kwargs=EMBED)
    [raw] = redis_client.lrange(QUEUE, 0, -1)
    copy = json.loads(raw)
    copy["properties"]["delivery_tag"] = "another"
    redis_client.lpush(QUEUE, json.dumps(copy))
    with serving(api_settings, jobs):
        assert answered(worker, results, sent.id)["status"] == "SUCCESS"
        redis_client.lpush(QUEUE, json.dumps({**copy, "a third": 1}))
        until(lambda: redis_client.llen(QUEUE) == 0)
        until(lambda: redis_client.hlen("celerys:celery:tasks") == 0)
        assert worker.serve() == 0
        assert known(worker, sent.id).attempt == 1
    until(lambda: redis_client.llen("celerys:celery:ends") == 0)


def test_what_a_process_took_that_died_is_taken_by_the_next(
    api_settings: ApiSettings,
    jobs: JobsSettings,
    user: Celery,
    worker: Worker,
    results: Results,
    redis_client: redis.Redis,
) -> None:
    sent = user.send_task(SUBMIT, kwargs=EMBED)
    [taken] = worker.queue.run(take_tasks(1, 0.2, jobs))
    assert json.loads(taken.body)["headers"]["id"] == sent.id
    assert redis_client.llen(QUEUE) == 0
    with serving(api_settings, jobs):
        assert answered(worker, results, sent.id)["status"] == "SUCCESS"


def test_a_full_queue_lets_tasks_wait(
    api_settings: ApiSettings, jobs: JobsSettings, user: Celery, worker: Worker, results: Results
) -> None:
    tight = jobs.model_copy(update={"max_waiting": 2})
    with serving(api_settings, tight):
        sent = [user.send_task(SUBMIT, kwargs=EMBED) for _ in range(6)]
        for one in sent:
            assert answered(worker, results, one.id)["status"] == "SUCCESS"


def test_a_task_is_its_keys_tenants(
    api_settings: ApiSettings,
    jobs: JobsSettings,
    user: Celery,
    worker: Worker,
    results: Results,
    tmp_path: Path,
) -> None:
    keys = write_keys(tmp_path / "keys.toml")
    with serving(api_settings, jobs, api_keys=keys) as http:
        bare = user.send_task(SUBMIT, kwargs=EMBED)
        assert results.of(bare.id)["result"]["exc_type"] == "Unauthorized"
        reader = user.send_task(SUBMIT, kwargs=EMBED, headers={KEY_HEADER: KEYS["reader"].token})
        assert results.of(reader.id)["result"]["exc_type"] == "Forbidden"
        token = KEYS["acme"].token
        sent = user.send_task(SUBMIT, kwargs=EMBED, headers={KEY_HEADER: token})
        assert answered(worker, results, sent.id)["status"] == "SUCCESS"
        assert known(worker, f"acme:{sent.id}").group.tenant == "acme"
        mine = http.get(f"/v2/jobs/{sent.id}", headers={"Authorization": f"Bearer {token}"})
        other = {"Authorization": f"Bearer {KEYS['beta'].token}"}
        assert (mine.status_code, http.get(f"/v2/jobs/{sent.id}", headers=other).status_code) == (
            200,
            404,
        )
        kept = worker.queue.redis.hget(f"celerys:job:acme:{sent.id}", "celery")
        assert isinstance(kept, bytes)
        assert token.encode() not in kept


def test_a_tenants_task_is_revoked_by_its_own_id(
    api_settings: ApiSettings,
    jobs: JobsSettings,
    user: Celery,
    worker: Worker,
    results: Results,
    tmp_path: Path,
) -> None:
    keys = write_keys(tmp_path / "keys.toml")
    with serving(api_settings, jobs, api_keys=keys):
        sent = user.send_task(SUBMIT, kwargs=EMBED, headers={KEY_HEADER: KEYS["acme"].token})
        until(lambda: known(worker, f"acme:{sent.id}"))
        named = worker.queue.run(revoke_task(sent.id, jobs))
        assert named == f"acme:{sent.id}"
        worker.queue.run(cancel(named, jobs))
        assert results.of(sent.id)["status"] == "REVOKED"


def test_a_task_that_was_revoked_before_never_is_a_job(
    api_settings: ApiSettings, jobs: JobsSettings, user: Celery, worker: Worker, results: Results
) -> None:
    sent = user.send_task(SUBMIT, kwargs=EMBED)
    assert worker.queue.run(revoke_task(sent.id, jobs)) == ""
    with serving(api_settings, jobs):
        assert results.of(sent.id)["status"] == "REVOKED"
        assert known(worker, sent.id) is None


def changed(raw: bytes, **headers: Any) -> str:
    message = json.loads(raw)
    message["headers"] |= headers
    return json.dumps(message)


def test_what_is_no_task_is_dropped_and_the_next_is_served(
    api_settings: ApiSettings,
    jobs: JobsSettings,
    user: Celery,
    worker: Worker,
    results: Results,
    redis_client: redis.Redis,
) -> None:
    sent = user.send_task(SUBMIT, kwargs=EMBED)
    raw = redis_client.rpop(QUEUE)
    assert isinstance(raw, bytes)
    body, number = (
        base64.b64encode(text).decode()
        for text in (b'[["a", {}]', b'[[], {"a": {"__type__": "decimal", "__value__": "x"}}, {}]')
    )
    for odd in (
        b"\xff\x00",
        "{}",
        "[]",
        changed(raw, id=None),
        changed(raw, id="x" * 300),
        changed(raw, task="photos.other"),
        changed(raw, eta="tomorrow"),
        changed(raw, eta=math.inf),
        changed(raw, expires=10**400),
        changed(raw, timelimit=[None, math.inf]),
        json.dumps({**json.loads(raw), "properties": {"priority": math.inf}}),
    ):
        redis_client.lpush(QUEUE, odd)
    odd_ones = {
        "squeezed": changed(raw, id="squeezed", compression="application/x-gzip"),
        "broken": json.dumps({**json.loads(changed(raw, id="broken")), "body": body}),
        "number": json.dumps({**json.loads(changed(raw, id="number")), "body": number}),
        "typed": json.dumps(
            {
                **json.loads(changed(raw, id="typed")),
                "content-type": "application/x-python-serialize",
            }
        ),
    }
    redis_client.lpush(QUEUE, *odd_ones.values(), raw)
    with serving(api_settings, jobs):
        assert answered(worker, results, sent.id)["status"] == "SUCCESS"
        for task_id in odd_ones:
            told = results.of(task_id)
            assert (told["status"], told["result"]["exc_type"]) == ("FAILURE", "InvalidRequest")
    assert redis_client.hlen("celerys:celery:tasks") == 0


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"model": "embedding"}, "give either `input`"),
        ({**EMBED, "request": {"inputs": []}}, "give either `input`"),
        ({**EMBED, "input": ["hi"]}, "input: expected an object"),
        ({"input": {"texts": ["hi"]}}, "a model is needed"),
        ({**EMBED, "answer": "rows"}, "answer: one of output, response, job"),
        ({**EMBED, "timeout_s": -1}, "timeout_s: expected seconds"),
        ({**EMBED, "parameters": {"webhook": "http://x/"}}, "parameter webhook"),
        ({**EMBED, "parameters": {"stream": True}}, "parameter stream"),
        ({**EMBED, "parameters": {"priorty": 1}}, "did you mean 'priority'"),
        (
            {**EMBED, "parameters": {"truncate": True}},
            "parameters.truncate: is the task's own; give it in `input`",
        ),
        ({**EMBED, "input": {"textz": ["hi"]}}, "textz"),
        ({**EMBED, "priority": 12}, "priority"),
        ({**EMBED, "timeout_s": [1]}, "timeout_s: expected seconds"),
        ({"model": "embedding", "request": {"inputs": [], "parameters": [1]}}, "parameters"),
        ({"model": "embedding", "request": {"inputs": "x"}}, "inputs"),
        ({**EMBED, "answer": [1]}, "answer: one of"),
        (
            {"model": "image-classification", "input": {"images": ["http://x/"]}},
            "images[0]: URLs are not fetched",
        ),
        ({"model": "image-classification", "input": {"images": ["?"]}}, "images[0]: not base64"),
    ],
)
def test_an_odd_argument_is_named(
    api_settings: ApiSettings,
    jobs: JobsSettings,
    user: Celery,
    results: Results,
    kwargs: dict[str, Any],
    text: str,
) -> None:
    with serving(api_settings, jobs):
        told = results.of(user.send_task(SUBMIT, kwargs=kwargs).id)
    assert told["status"] == "FAILURE"
    assert told["traceback"] is None, "only errors' texts leave the server"
    assert text in told["result"]["exc_message"][0]


def test_an_answer_that_is_too_large_is_told_where_it_lies(
    api_settings: ApiSettings, jobs: JobsSettings, user: Celery, worker: Worker, results: Results
) -> None:
    with serving(api_settings, jobs, celery_max_result_bytes=100):
        sent = user.send_task(SUBMIT, kwargs=EMBED)
        told = answered(worker, results, sent.id)
        assert told["result"]["exc_type"] == "PayloadTooLarge"
        assert f"/v2/jobs/{sent.id}/result" in told["result"]["exc_message"][0]
        by_job = user.send_task(SUBMIT, kwargs={**EMBED, "answer": "job"})
        assert answered(worker, results, by_job.id)["result"]["status"] == "succeeded"


def test_a_backend_that_is_away_is_told_later(
    api_settings: ApiSettings,
    jobs: JobsSettings,
    user: Celery,
    worker: Worker,
    redis_client: redis.Redis,
) -> None:
    sent = user.send_task(SUBMIT, kwargs=EMBED)
    with serving(api_settings, jobs, celery_result_backend="redis://127.0.0.1:1/0"):
        until(worker.serve)
        until(lambda: redis_client.hgetall(_only(redis_client, "celerys:webhook:*")).get(b"error"))
    with serving(api_settings, jobs, webhook_first_pause_s=0.1):
        assert Results(redis_client).of(sent.id)["status"] == "SUCCESS"


def test_who_stops_telling_leaves_no_connection_to_the_backend(
    api_settings: ApiSettings,
    jobs: JobsSettings,
    user: Celery,
    worker: Worker,
    redis_client: redis.Redis,
) -> None:
    follows = user.signature("somebody.follows", queue="celerys.follows")
    sent = [user.send_task(SUBMIT, kwargs=EMBED, link=follows) for _ in range(4)]
    until(lambda: redis_client.llen(QUEUE) == 4)

    def of_backends() -> int:
        return sum("celery" in client["lib-name"] for client in redis_client.client_list())

    before = of_backends()
    with serving(api_settings, jobs):
        for each in sent:
            assert answered(worker, Results(redis_client), each.id)["children"]
        assert redis_client.llen("celerys.follows") == 4
    until(lambda: of_backends() <= before)


def _only(client: redis.Redis, pattern: str) -> bytes:
    found = list(client.scan_iter(pattern))
    return found[0] if found else b"nothing"


def test_a_process_may_leave_tasks_to_others(
    api_settings: ApiSettings,
    jobs: JobsSettings,
    user: Celery,
    worker: Worker,
    redis_client: redis.Redis,
) -> None:
    user.send_task(SUBMIT, kwargs=EMBED)
    with serving(api_settings, jobs, celery_tasks_at_once=0) as http:
        assert http.get("/v2/health/live").status_code == 200
    assert redis_client.llen(QUEUE) == 1
