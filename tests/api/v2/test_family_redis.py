"""The asynchronous extension over three Redis servers: home, one of text, one of vision."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from celery import Celery
from celery.exceptions import TaskRevokedError
from celery.result import AsyncResult
from fastapi.testclient import TestClient
from PIL import Image
from pydantic import SecretStr

from wherry.api.app import create_app
from wherry.api.settings import ApiSettings
from wherry.jobs import JobsSettings, Queue
from wherry.jobs.celery_tasks import revoke_task
from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.dead import list_dead
from wherry.jobs.fleet import groups
from wherry.jobs.fleet_queue import open_blocking
from wherry.jobs.recover import cancel, reap

from ...support.receiver import Receiver, status
from ...support.redis_servers import RedisServers, redis_servers
from ...support.waiting import until
from ..conftest import WORKER, Server, Worker

Job = dict[str, object]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServers]:
    folder = tmp_path_factory.mktemp("servers")
    with redis_servers(folder, "text", "vision", inline_max_bytes=10_000, max_attempts=1) as found:
        yield found


@pytest.fixture(scope="module")
def family_url(api_settings: ApiSettings, servers: RedisServers) -> Iterator[str]:
    changes = {
        "webhook_hosts": "127.0.0.1:*",
        "webhook_schemes": "http",
        "outbound_networks": "127.0.0.1/32",
        "webhook_first_pause_s": 0.02,
        "webhook_secrets": SecretStr("whsec_" + base64.b64encode(bytes(24)).decode()),
    }
    with Server(api_settings.model_copy(update=changes), servers.settings) as url:
        yield url


@pytest.fixture
def http(family_url: str, servers: RedisServers) -> Iterator[httpx.Client]:
    servers.flush()
    with httpx.Client(base_url=family_url, timeout=20) as client:
        yield client


@pytest.fixture
def workers(servers: RedisServers, models_file: Any) -> Iterator[dict[str, Worker]]:
    """A worker that the test drives on each Redis."""
    found = {
        name: Worker(Queue(one.url), servers.settings.serving([family]), models_file)
        for (name, one), family in zip(
            servers.servers.items(), ("audio", "text", "vision"), strict=True
        )
    }
    yield found
    for worker in found.values():
        worker.close()


@pytest.fixture
def serving(workers: dict[str, Worker]) -> Iterator[None]:
    """All three, answering by themselves."""
    stopped = threading.Event()

    def run(worker: Worker) -> None:
        while not stopped.wait(0.005):
            worker.serve()

    threads = [threading.Thread(target=run, args=(worker,)) for worker in workers.values()]
    for thread in threads:
        thread.start()
    yield
    stopped.set()
    for thread in threads:
        thread.join()


def _png() -> str:
    out = io.BytesIO()
    Image.new("RGB", (2, 2)).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def image(**fields: object) -> Job:
    tensor = {
        "name": "image",
        "shape": [1],
        "datatype": "BYTES",
        "parameters": {"content_type": "base64"},
        "data": [_png()],
    }
    return {"inputs": [tensor], **fields}


@pytest.fixture
def asked(texts: Callable[..., Job]) -> dict[str, tuple[str, Callable[..., Job]]]:
    """A model of each Redis, and a request to it."""
    return {
        "home": ("text-to-speech", lambda **fields: texts("a text", **fields)),
        "text": ("embedding", lambda **fields: texts("a text", **fields)),
        "vision": ("image-classification", image),
    }


Asked = dict[str, tuple[str, Callable[..., Job]]]


def submit(http: httpx.Client, asked: Asked, where: str, **fields: Any) -> httpx.Response:
    model, request = asked[where]
    headers = fields.pop("headers", {})
    return http.post(f"/v2/models/{model}/jobs", json=request(**fields), headers=headers)


def stored(http: httpx.Client, asked: Asked, where: str, **fields: Any) -> str:
    answer = submit(http, asked, where, **fields)
    assert answer.status_code == 202, answer.text
    found: str = answer.json()["id"]
    return found


WHERE = ("home", "text", "vision")


@pytest.mark.parametrize("where", WHERE)
def test_a_job_is_on_its_familys_redis_alone(
    http: httpx.Client, asked: Asked, servers: RedisServers, where: str
) -> None:
    job_id = stored(http, asked, where)
    has = [name for name in WHERE if servers.keys(name, f"wherry:job:{job_id}")]
    tickets = {name: servers.keys(name, "*") for name in WHERE}
    assert has == [where]
    family = {"home": b"audio"}.get(where, where.encode())
    assert [name for name in WHERE if family in tickets[name]] == [where]


@pytest.mark.parametrize("where", WHERE)
def test_one_job_from_submit_to_result(
    http: httpx.Client, asked: Asked, workers: dict[str, Worker], where: str
) -> None:
    job_id = stored(http, asked, where)
    assert http.get(f"/v2/jobs/{job_id}").json()["queue_position"] == 0
    assert http.get(f"/v2/jobs/{job_id}/request").status_code == 200
    assert workers[where].serve() == 1
    assert http.get(f"/v2/jobs/{job_id}").json()["status"] == "succeeded"
    answer = http.get(f"/v2/jobs/{job_id}/result").json()
    assert (answer["id"], answer["model_name"]) == (job_id, asked[where][0])
    with http.stream("GET", f"/v2/jobs/{job_id}/events") as events:
        kinds = [line for line in events.iter_lines() if line.startswith("event:")]
    assert kinds == ["event: queued", "event: running", "event: succeeded"]


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.usefixtures("serving")
def test_who_waits_is_answered(http: httpx.Client, asked: Asked, where: str) -> None:
    model, request = asked[where]
    assert http.post(f"/v2/models/{model}/infer", json=request()).status_code == 200
    done = submit(http, asked, where, headers={"Prefer": "wait=3"})
    assert (done.status_code, done.json()["status"]) == (200, "succeeded")


@pytest.mark.parametrize("where", WHERE)
def test_a_waiting_job_is_canceled(http: httpx.Client, asked: Asked, where: str) -> None:
    job_id = stored(http, asked, where)
    assert http.post(f"/v2/jobs/{job_id}/cancel").json()["status"] == "canceled"
    assert http.get(f"/v2/jobs/{job_id}/result").status_code == 410


@pytest.mark.usefixtures("serving")
def test_many_jobs_in_one_call(http: httpx.Client, asked: Asked) -> None:
    jobs = [
        {"model_name": model, "request": request(id=f"{where}-{n}")}
        for n in range(3)
        for where, (model, request) in asked.items()
    ]
    said = http.post("/v2/jobs:batch", json={"jobs": jobs}).json()["jobs"]
    ids = [each["job"]["id"] for each in said]
    assert ids == [job["request"]["id"] for job in jobs]  # type: ignore[index] # as made above

    def ended() -> bool:
        wanted = {"ids": ids, "results": True}
        told = http.post("/v2/jobs:status", json=wanted).json()["jobs"]
        return all(each.get("result") for each in told)

    until(ended)


def test_the_list_is_one(http: httpx.Client, asked: Asked) -> None:
    made = [stored(http, asked, WHERE[n % 3], id=f"job-{n}") for n in range(20)]
    seen: list[str] = []
    after = ""
    for _ in range(30):
        page = http.get("/v2/jobs", params={"limit": 3, "after": after} if after else {"limit": 3})
        seen += [job["id"] for job in page.json()["jobs"]]
        after = page.json()["next"]
        if not after:
            break
    assert sorted(seen) == sorted(made)
    times = {job["id"]: job["created_at"] for job in http.get("/v2/jobs").json()["jobs"]}
    assert [times[i] for i in seen] == sorted((times[i] for i in made), reverse=True)
    of_one = http.get("/v2/jobs", params={"model": "embedding"}).json()["jobs"]
    assert {job["model_name"] for job in of_one} == {"embedding"}
    assert http.get("/v2/jobs", params={"after": "7"}).status_code == 400
    assert http.get("/v2/jobs", params={"after": "a|b|c"}).status_code == 400


def test_the_lists_events_tell_of_all(http: httpx.Client, asked: Asked) -> None:
    with http.stream("GET", "/v2/jobs:events") as events:
        lines = (line for line in events.iter_lines() if line.startswith("data:"))
        next(lines)
        wanted = {stored(http, asked, where) for where in WHERE}
        seen: set[str] = set()
        while not wanted <= seen:
            seen |= {job["id"] for job in json.loads(next(lines)[5:])["jobs"]}


def test_queues_workers_and_counters_are_of_all(
    http: httpx.Client, asked: Asked, workers: dict[str, Worker]
) -> None:
    for where in WHERE:
        stored(http, asked, where)
        workers[where].beat("audio" if where == "home" else where, models=(asked[where][0],))
    said = http.get("/v2/queues").json()
    assert {each["family"] for each in said["queues"]} == {"audio", "text", "vision"}
    assert (said["totals"]["waiting"], len(said["workers"])) == (3, 3)
    for where in WHERE:
        workers[where].serve()
        stats = http.get(f"/v2/models/{asked[where][0]}/stats").json()["model_stats"]
        assert sum(each["inference_stats"]["success"]["count"] for each in stats) == 1
        assert http.get(f"/v2/models/{asked[where][0]}/ready").status_code == 200
    assert http.get("/v2/queues").json()["totals"]["succeeded"] == 3
    for model in ("", "embedding"):
        assert http.get("/v2/history", params={"model": model} if model else {}).is_success


@pytest.mark.parametrize("where", WHERE)
def test_dead_letters_are_of_all(
    http: httpx.Client, asked: Asked, workers: dict[str, Worker], where: str
) -> None:
    ids = {each: stored(http, asked, each) for each in WHERE}
    for each in WHERE:
        _lose(workers[each])
    assert {job["id"] for job in http.get("/v2/dead").json()["jobs"]} == set(ids.values())
    assert http.get("/v2/dead").json()["total"] == 3
    first = http.get("/v2/dead", params={"limit": 1}).json()
    rest = http.get("/v2/dead", params={"limit": 5, "after": first["next"]}).json()
    assert len(first["jobs"] + rest["jobs"]) == 3
    assert http.get(f"/v2/dead/{ids[where]}").json()["request"]["inputs"]
    assert http.post(f"/v2/dead/{ids[where]}/replay").status_code == 202
    assert workers[where].serve() == 1
    dropped = http.post("/v2/dead:drop").json()["dropped"]
    assert set(dropped) == set(ids.values()) - {ids[where]}


def _lose(worker: Worker) -> None:
    """Claim what waits, and die."""
    for seen in worker.queue.run(groups(worker.jobs))[0].values():
        budgets = {seen.group.model_id: BatchBudget()}
        worker.queue.run(claim(seen.group, WORKER, budgets, worker.jobs))
    worker.queue.run(reap(WORKER, worker.jobs, gone=True))
    assert worker.queue.run(list_dead(worker.jobs)).total == 1


@pytest.mark.parametrize("where", WHERE)
def test_a_webhook_is_called(
    http: httpx.Client, asked: Asked, workers: dict[str, Worker], receiver: Receiver, where: str
) -> None:
    receiver.answers["/hook"] = status(204)
    headers = {"Wherry-Webhook": receiver.url("/hook", host="127.0.0.1")}
    job_id = stored(http, asked, where, headers=headers)
    workers[where].serve()
    until(lambda: http.get("/v2/webhooks").json()["totals"]["delivered"])
    [call] = receiver.asked
    assert json.loads(call.body)["data"]["id"] == job_id


class TestNames:
    """An id, and an Idempotency-Key, stands for one job wherever it is."""

    @pytest.mark.parametrize("first", WHERE)
    @pytest.mark.parametrize("named", ["id", "key", "both"])
    def test_a_name_of_another_redis_is_taken(
        self, http: httpx.Client, asked: Asked, first: str, named: str
    ) -> None:
        fields: dict[str, Any] = {"id": "mine"} if named != "key" else {}
        headers = {"Idempotency-Key": "key"} if named != "id" else {}
        job_id = stored(http, asked, first, headers=headers, **fields)
        assert stored(http, asked, first, headers=headers, **fields) == job_id
        for other in set(WHERE) - {first}:
            answer = submit(http, asked, other, headers=headers, **fields)
            assert (answer.status_code, answer.json()["error_type"]) == (409, "conflict")
        assert http.get(f"/v2/jobs/{job_id}").json()["model_name"] == asked[first][0]

    def test_an_old_name_is_found_where_it_is(
        self, http: httpx.Client, asked: Asked, servers: RedisServers
    ) -> None:
        stored(http, asked, "text", id="old")
        self._let_go(servers)
        assert submit(http, asked, "vision", id="old").status_code == 409
        assert stored(http, asked, "text", id="old") == "old"

    def test_of_two_that_come_at_once_one_is_refused(
        self, http: httpx.Client, asked: Asked, servers: RedisServers
    ) -> None:
        def both(number: int) -> list[int]:
            with ThreadPoolExecutor(3) as pool:
                calls = [
                    pool.submit(submit, http, asked, where, id=f"race-{number}") for where in WHERE
                ]
                return sorted(call.result().status_code for call in calls)

        for number in range(8):
            assert both(number) == [202, 409, 409]
            has = [name for name in WHERE if servers.keys(name, f"wherry:job:race-{number}")]
            assert len(has) == 1

    def test_an_id_may_be_had_again_once_its_job_is_forgotten_and_held_no_more(
        self, http: httpx.Client, asked: Asked, workers: dict[str, Worker], servers: RedisServers
    ) -> None:
        stored(http, asked, "text", id="again")
        workers["text"].serve()
        assert http.post("/v2/jobs:forget", json={"ids": ["again"]}).is_success
        assert submit(http, asked, "vision", id="again").status_code == 409
        self._let_go(servers)
        assert stored(http, asked, "vision", id="again") == "again"

    @staticmethod
    def _let_go(servers: RedisServers) -> None:
        """The ten minutes are over."""
        queue = Queue(servers.servers["home"].url)
        for key in servers.keys("home", "wherry:held:*"):
            queue.redis.delete(key)
        queue.close()


def test_loads_reach_all(http: httpx.Client, asked: Asked, servers: RedisServers) -> None:
    for where in WHERE:
        assert http.post(f"/v2/repository/models/{asked[where][0]}/unload").is_success
        assert submit(http, asked, where).status_code == 503
    for name in WHERE:
        assert servers.keys(name, "wherry:unloaded")
    assert http.post("/v2/repository/models/embedding/load").is_success
    assert submit(http, asked, "text").status_code == 202


def test_a_lost_redis_takes_its_family_alone(
    http: httpx.Client, asked: Asked, servers: RedisServers, workers: dict[str, Worker]
) -> None:
    kept = {where: stored(http, asked, where) for where in WHERE}
    workers["vision"].beat("vision", models=("image-classification",))
    servers.servers["text"].kill()
    try:
        answer = submit(http, asked, "text")
        assert (answer.status_code, answer.json()["error_type"]) == (503, "unavailable")
        assert "the Redis of text" in answer.json()["error"]
        assert answer.headers["Retry-After"]
        for where in ("home", "vision"):
            job_id = stored(http, asked, where)
            named = stored(http, asked, where, id=f"named-{where}")
            assert workers[where].serve() == 3
            for each in (job_id, named, kept[where]):
                assert http.get(f"/v2/jobs/{each}/result").status_code == 200
        assert http.get(f"/v2/jobs/{kept['text']}").status_code == 503
        assert http.get("/v2/jobs/nobody").status_code == 503  # it may be there
        listed = http.get("/v2/jobs").json()
        assert listed["away"] == ["text"]
        assert len(listed["jobs"]) == 6
        assert http.get("/v2/queues").json()["away"] == ["text"]
        assert http.get("/v2/dead").json()["away"] == ["text"]
        assert http.get("/v2/models/image-classification/ready").status_code == 200
        ready = http.get("/v2/models/embedding/ready")
        assert (ready.status_code, "the Redis of text" in ready.text) == (503, True)
        assert http.get("/v2/health/ready").json()["away"] == ["text"]
    finally:
        servers.servers["text"].start()
    until(lambda: http.get(f"/v2/jobs/{kept['text']}").status_code == 202)
    workers["text"].serve()
    assert http.get(f"/v2/jobs/{kept['text']}/result").status_code == 200
    assert http.get("/v2/jobs/nobody").status_code == 404
    assert "away" not in http.get("/v2/jobs").json()


def test_jobs_without_a_clients_name_go_on_without_home(
    http: httpx.Client, asked: Asked, servers: RedisServers, workers: dict[str, Worker]
) -> None:
    servers.servers["home"].kill()
    try:
        job_id = stored(http, asked, "text")
        workers["text"].serve()
        assert http.get(f"/v2/jobs/{job_id}/result").status_code == 200
        assert submit(http, asked, "text", id="named").status_code == 503
    finally:
        servers.servers["home"].start()
    until(lambda: submit(http, asked, "home").status_code == 202)


@pytest.fixture
def sent(http: httpx.Client, servers: RedisServers) -> Iterator[Callable[[str], AsyncResult]]:
    """Sends a Celery task for a model, by the broker that is at home."""
    home = servers.servers["home"].url
    with Celery(broker=home, backend=home, set_as_current=False) as app:

        def send(model: str) -> AsyncResult:
            asked = {"model": model, "input": {"texts": ["a text"]}}
            return app.send_task("wherry.submit", kwargs=asked, queue="wherry.submit")

        yield send


def test_celery_tasks_of_all_families_are_answered_at_home(
    sent: Callable[[str], AsyncResult], serving: None, servers: RedisServers
) -> None:
    tasks = [sent(model) for model in ("embedding", "text-to-speech", "embedding")]
    for task in tasks:
        assert task.get(timeout=30)
    # Nothing is left to be told, on any.
    kept = ("ends", "due", "tasks", "job:*")
    until(
        lambda: [
            (name, left)
            for name in servers.servers
            for what in kept
            if (left := servers.keys(name, f"wherry:celery:{what}"))
        ],
        lambda left: not left,
    )


def test_a_celery_task_of_another_familys_redis_is_revoked_from_home(
    sent: Callable[[str], AsyncResult],
    http: httpx.Client,
    workers: dict[str, Worker],
    servers: RedisServers,
) -> None:
    """As a worker at home does that hears of it."""
    task = sent("embedding")
    until(lambda: http.get(f"/v2/jobs/{task.id}").status_code == 202)
    queue = open_blocking(servers.settings)
    try:
        for _ in range(2):  # every worker hears it
            named = workers["home"].queue.run(revoke_task(task.id, servers.settings))
            assert named == task.id
            queue.run(cancel(named, servers.settings))
    finally:
        queue.close()
    with pytest.raises(TaskRevokedError):
        task.get(timeout=30)
    assert http.get(f"/v2/jobs/{task.id}").json()["status"] == "canceled"


def test_ends_on_a_redis_that_is_away_are_told_when_it_is_back(
    sent: Callable[[str], AsyncResult],
    http: httpx.Client,
    workers: dict[str, Worker],
    servers: RedisServers,
) -> None:
    task = sent("embedding")
    until(lambda: http.get(f"/v2/jobs/{task.id}").status_code == 202)
    until(workers["text"].serve)
    server = servers.servers["text"]
    server.kill()
    try:  # others are told of meanwhile
        other = sent("text-to-speech")
        until(lambda: workers["home"].serve() or other.ready())
        assert other.get(timeout=30)
    finally:
        server.start()
    assert task.get(timeout=30)


def test_one_redis_by_two_names_is_refused(
    api_settings: ApiSettings, servers: RedisServers
) -> None:
    home = servers.servers["home"].url.replace("127.0.0.1", "localhost")
    jobs = JobsSettings(redis_url=servers.servers["home"].url, family_redis=f"text={home}")
    with (
        pytest.raises(RuntimeError, match="names one Redis twice"),
        TestClient(create_app(api_settings, jobs)),
    ):
        pass
