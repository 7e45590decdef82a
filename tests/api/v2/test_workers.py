"""Who is there, and who is to claim no more."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

import httpx

import wherry
from wherry.jobs.drain import Drain, drain_asked
from wherry.jobs.fleet import heartbeat
from wherry.jobs.processes import about
from wherry.jobs.recover import reap
from wherry.jobs.run_workers import beat

from ..conftest import WORKER, Worker
from ..keyed import Tenants

NODE = "test@host/1"
FAMILIES = ("audio", "multimodal", "text", "vision")


def listed(http: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = http.get("/v2/workers").json()["workers"]
    return found


def beat_runs(worker: Worker, silent_s: float = 0.0) -> None:
    """As a run worker of an earlier version says that it lives."""
    said = {"node": "runs-0@here", "seen_at_ms": int((time.time() - silent_s) * 1000)}
    worker.queue.run(beat("runs-0@here#1", said, worker.jobs))


def test_workers_run_workers_and_apis_tell_their_versions(
    http: httpx.Client, worker: Worker
) -> None:
    ready(worker, device="cpu")
    beat_runs(worker)
    shown = http.get("/v2/workers").json()
    old, new = shown["workers"]
    assert (new["node"], new["version"]) == ("text-0@here", wherry.__version__)
    assert (new["device"], new["queue_format"], new["running"]) == ("cpu", [1, 1], 0)
    assert (old["node"], old["families"], old["version"]) == ("runs-0@here", ["runs"], None)
    assert all(api["version"] == wherry.__version__ for api in shown["apis"])


def test_a_run_worker_that_says_nothing_for_long_lives_no_more(
    http: httpx.Client, worker: Worker
) -> None:
    """Another would take it off the list; there may be none."""
    beat_runs(worker, silent_s=3600)
    [seen] = listed(http)
    assert seen["alive"] is False
    assert http.post("/v2/workers/runs-0@here/drain").status_code == 404


def test_a_word_to_one_is_told_of_all_that_hear_it(http: httpx.Client, worker: Worker) -> None:
    ready(worker)
    twin = "text-0@here#twin"
    said = {**about(worker.jobs), "node": "text-0@here", "families": ["text"]}
    worker.queue.run(heartbeat(twin, said, worker.jobs))
    told = http.post(f"/v2/workers/{quote(twin, safe='')}/drain").json()
    assert sorted(told["workers"]) == sorted([WORKER, twin])
    alone = http.post(f"/v2/workers/{quote(twin, safe='')}/drain", json={"end": True}).json()
    assert alone["workers"] == [twin]
    assert asked(worker) == Drain(twin)


def test_one_is_found_by_its_id_or_node_name(http: httpx.Client, worker: Worker) -> None:
    beat_runs(worker)
    for name in ("runs-0@here", "runs-0@here#1"):
        assert http.get(f"/v2/workers/{quote(name)}").json()["id"] == "runs-0@here#1"
    gone = http.get("/v2/workers/text-9@here")
    assert (gone.status_code, gone.json()["error_type"]) == (404, "not_found")


def test_a_node_whose_name_has_a_hash_is_drained_and_serves_again(
    http: httpx.Client, worker: Worker
) -> None:
    node = "text-0@rack#2"
    its_id = f"{node}#681d1eb3"
    said = {**about(worker.jobs), "node": node, "families": ["text"]}
    worker.queue.run(heartbeat(its_id, said, worker.jobs))
    path = f"/v2/workers/{quote(node, safe='')}"
    assert http.post(f"{path}/drain").json()["node"] == node
    assert worker.queue.run(drain_asked(node, worker.jobs)) == Drain()
    assert http.post(f"{path}/undrain").json() == {"node": node}
    assert worker.queue.run(drain_asked(node, worker.jobs)) is None
    # By its id, too, and when it is gone and only the word to it is left.
    for name in (its_id, node):
        http.post(f"{path}/drain")
        if name == node:
            worker.queue.run(reap(its_id, worker.jobs, gone=True))
        told = http.post(f"/v2/workers/{quote(name, safe='')}/undrain")
        assert told.json() == {"node": node}
        assert worker.queue.run(drain_asked(node, worker.jobs)) is None


def ready(worker: Worker, node: str = "text-0@here", **told: object) -> None:
    said: dict[str, Any] = {**about(worker.jobs), "node": node, **told}
    worker.beat("text", **said)


def asked(worker: Worker, node: str = "text-0@here") -> Drain | None:
    return worker.queue.run(drain_asked(node, worker.jobs))


def test_a_drain_is_a_word_in_redis_until_it_is_taken_back(
    http: httpx.Client, worker: Worker
) -> None:
    ready(worker)
    done = http.post("/v2/workers/text-0@here/drain", json={})
    assert (done.status_code, done.json()["workers"]) == (202, [WORKER])
    assert asked(worker) == Drain()
    assert http.post("/v2/workers/text-0@here/undrain").json() == {"node": "text-0@here"}
    assert asked(worker) is None


def test_one_that_is_to_end_is_named_by_its_id(http: httpx.Client, worker: Worker) -> None:
    ready(worker)
    http.post("/v2/workers/text-0@here/drain", json={"end": True})
    assert asked(worker) == Drain(WORKER)


def test_what_cannot_be_drained_is_refused_by_name(http: httpx.Client, worker: Worker) -> None:
    gone = http.post("/v2/workers/text-0@there/drain")
    assert gone.status_code == 404
    ready(worker)
    gone = http.post("/v2/workers/text-0@there/drain")
    assert "there are: text-0@here" in gone.json()["error"]
    ready(worker, version="")
    old = http.post("/v2/workers/text-0@here/drain")
    assert (old.status_code, "SIGTERM" in old.json()["error"]) == (409, True)
    for body in ({"end": "yes"}, {"stop": True}):
        wrong = http.post("/v2/workers/text-0@here/drain", json=body)
        assert (wrong.status_code, next(iter(body)) in wrong.json()["error"]) == (400, True)
    assert asked(worker) is None
    assert http.post("/v2/workers/text-0@there/undrain").status_code == 404


def test_a_family_whose_only_worker_is_drained_is_not_ready(
    http: httpx.Client, worker: Worker
) -> None:
    worker.beat(*FAMILIES)
    assert http.get("/v2/health/ready").status_code == 200
    worker.beat(*FAMILIES, state="draining", reason="drained by an operator")
    reasons = http.get("/v2/health/ready").json()["reasons"]
    assert f"worker {WORKER} does not serve: drained by an operator" in reasons


def test_workers_are_the_operators(tenants: Tenants) -> None:
    for method, path in (("GET", ""), ("GET", "/a"), ("POST", "/a/drain"), ("POST", "/a/undrain")):
        refused = tenants["acme"].request(method, f"/v2/workers{path}")
        assert refused.status_code == 403, path
    assert tenants["admin"].get("/v2/workers").status_code == 200
