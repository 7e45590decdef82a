from __future__ import annotations

import threading

import httpx
import pytest

from wherry.jobs import JobsSettings, Queue
from wherry.ops.redis_server import RedisServer

from ..conftest import Server, Worker


@pytest.fixture
def own_redis(tmp_path):
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def stack(own_redis, tmp_path, api_settings, models_file):
    jobs = JobsSettings(redis_url=own_redis.url, store_dir=tmp_path / "blobs")
    queue = Queue(own_redis.url)
    with Server(api_settings, jobs) as url, httpx.Client(base_url=url, timeout=10) as http:
        yield http, Worker(queue, jobs, models_file)
    queue.close()


def test_a_wait_outlives_a_restart_of_redis(own_redis, stack, texts):
    http, worker = stack
    job = http.post("/v2/models/embedding/jobs", json=texts("a")).json()

    def restart():
        own_redis.stop()
        own_redis.start()
        worker.serve()

    thread = threading.Timer(0.2, restart)
    thread.start()
    answer = http.get(job["status_url"], params={"wait": "3"})
    thread.join()
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
    again = http.post("/v2/models/embedding/jobs", json=texts("b"), headers={"Prefer": "wait=0.1"})
    assert again.status_code == 202


def test_without_redis_the_answer_is_503(own_redis, stack, texts):
    http, _ = stack
    own_redis.stop()
    answer = http.post("/v2/models/embedding/jobs", json=texts("a"))
    assert (answer.status_code, answer.json()["error_type"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "1"
    ready = http.get("/v2/health/ready")
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    assert http.get("/v2/health/live").status_code == 200
