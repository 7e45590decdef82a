"""A tenant sees its own, and nothing of another's: every route of the app is walked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest

from wherry.api.access.caller import Scope
from wherry.api.access.rules import is_open, needed
from wherry.api.app import create_app
from wherry.api.settings import ApiSettings
from wherry.jobs import JobsSettings

from ..batch_calls import create, jsonl, line, upload
from ..conftest import Worker
from ..keyed import Tenants, submitted
from ..surfaces.instill.entries import MODELS, entries
from ..surfaces.pixano.asks import ASKS

#: Path parameters that name no tenant's thing.
PUBLIC = {
    "model": "embedding",
    "version": "1",
    "namespace": "wherry",
    "capability": "embedding",
    "name": "embedding",
    "task": "embedding",
    "key_id": "none",
    "region": "none",
    "response_id": "none",
    "index": "0",
    "worker": "text-0@here",
}

#: What another tenant's thing is called in a path.
OWNED = {"job_id", "file_id", "batch_id", "operation", "run_id", "upload_id"}

#: Streams that end with their reader; tests/api/v2 holds what they tell a tenant.
ENDLESS = {"/v2/jobs:events", "/v2/runs:events"}

SECRET = "the text of acme"


def routes(found: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Methods and paths of an app, of routers within routers too."""
    for route in found:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from routes(inner.routes, prefix + route.include_context.prefix)
        else:
            for method in sorted(route.methods):
                yield method, prefix + route.path


@pytest.fixture(scope="session")
def walked(api_settings: ApiSettings, keyed_jobs: JobsSettings) -> list[tuple[str, str]]:
    return list(routes(create_app(api_settings, keyed_jobs).routes))


@dataclass
class Things:
    """What acme has: one of each kind."""

    waiting: str
    done: str
    file: str
    batch: str
    operation: str
    tracking: str
    run: str
    upload: str

    def fill(self, path: str, job: str) -> str:
        """A path with acme's things in it."""
        names = {
            **PUBLIC,
            "job_id": quote(job, safe=""),
            "file_id": self.file,
            "batch_id": self.batch,
            "operation": self.operation,
            "run_id": self.run,
            "upload_id": self.upload,
            "path": "video/mask_generation",
        }
        return re.sub(r"\{(\w+)(?::path)?\}", lambda found: names[found[1]], path)

    @property
    def all(self) -> list[str]:
        """Every id."""
        jobs = [self.waiting, self.done, self.operation, self.tracking]
        return [*jobs, self.file, self.batch, self.run, self.upload]


@pytest.fixture
def things(tenants: Tenants, keyed_worker: Worker) -> Things:
    acme = tenants["acme"]
    done = submitted(acme, SECRET, id="done at acme")["id"]
    keyed_worker.serve()
    answer = acme.post(f"{MODELS}/chat/trigger-async", json=entries("chat"))
    operation = answer.json()["operation"]["name"].removeprefix("operations/")
    answer = acme.post("/pixano/inference/tracking/jobs/", json=ASKS["tracking"])
    assert answer.status_code == 202, answer.text
    tracking = answer.json()["job_id"]
    waiting = submitted(acme, SECRET, id="waits at acme")["id"]
    file = upload(acme, jsonl([line(1)]))["id"]
    batch = create(acme, jsonl([line(1)]))
    sent = acme.post("/v2/uploads", files={"file": ("a.txt", SECRET.encode())}).json()
    asked = {"source": sent["source"], "model": "embedding", "name": SECRET}
    run = acme.post("/v2/runs", json=asked).json()["id"]
    return Things(waiting, done, file, batch, operation, tracking, run, sent["id"])


def test_every_parameter_of_a_path_is_known(walked: list[tuple[str, str]]) -> None:
    """A new route with a new kind of thing has to say here whose it is."""
    names = {name for _, path in walked for name in re.findall(r"\{(\w+)", path)}
    assert names == set(PUBLIC) | OWNED | {"path"}
    assert len(walked) > 70


def test_another_tenants_things_are_not_there(
    tenants: Tenants, things: Things, walked: list[tuple[str, str]]
) -> None:
    beta, asked = tenants["beta"], 0
    for method, path in walked:
        if not OWNED & set(re.findall(r"\{(\w+)", path)):
            continue
        for job in (things.waiting, things.done, things.tracking):
            url = things.fill(path, job)
            answer = beta.request(method, url, json={} if method == "POST" else None)
            told = f"{method} {url}: {answer.status_code} {answer.text[:300]}"
            closed = needed(method, url) is Scope.ADMIN
            assert answer.status_code == (403 if closed else 404), told
            assert SECRET not in answer.text, told
            asked += 1
    assert asked > 40
    states = tenants["acme"].post("/v2/jobs:status", json={"ids": [things.waiting, things.done]})
    assert [job["status"] for job in states.json()["jobs"]] == ["queued", "succeeded"]
    assert tenants["acme"].get(f"/v1/files/{things.file}").status_code == 200
    assert tenants["acme"].get(f"/v1/batches/{things.batch}").json()["cancelling_at"] is None


def test_the_owner_finds_them_there(
    tenants: Tenants, things: Things, walked: list[tuple[str, str]]
) -> None:
    """So that a 404 above means: not yours."""
    for key in ("acme", "acme too"):
        for path in (
            f"/v2/jobs/{quote(things.done)}",
            f"/v2/jobs/{quote(things.done)}/result",
            f"/v2/jobs/{quote(things.done)}/events",
            f"/v1/files/{things.file}",
            f"/v1/files/{things.file}/content",
            f"/v1/batches/{things.batch}",
            f"/v2/runs/{things.run}",
            f"/v2/uploads/{things.upload}",
            f"/v1alpha/operations/{things.operation}",
            f"/pixano/v1/jobs/{things.tracking}",
            f"/pixano056/tasks/video/mask_generation/{things.tracking}",
            f"/pixano/inference/tracking/jobs/{things.tracking}",
        ):
            assert tenants[key].get(path).status_code == 200, (key, path)


def test_what_is_not_named_tells_nothing_of_another_tenant(
    tenants: Tenants, things: Things, walked: list[tuple[str, str]]
) -> None:
    for method, path in walked:
        if OWNED & set(re.findall(r"\{(\w+)", path)):
            continue
        if path in ENDLESS:
            continue
        answer = tenants["beta"].request(method, things.fill(path, ""), json={})
        for word in (*things.all, SECRET, "acme"):
            assert word not in answer.text, (method, path, word)


def test_every_route_but_health_wants_a_key(
    tenants: Tenants, things: Things, walked: list[tuple[str, str]]
) -> None:
    for method, path in walked:
        url = things.fill(path, things.done)
        answer = tenants[""].request(method, url, json={} if method == "POST" else None)
        assert (answer.status_code == 401) == (not is_open(url)), (method, url)


def test_bodies_that_name_another_tenants_things_find_none(
    tenants: Tenants, things: Things
) -> None:
    beta = tenants["beta"]
    ids = [things.waiting, things.done, f"acme:{things.done}"]
    for job in beta.post("/v2/jobs:status", json={"ids": ids, "results": True}).json()["jobs"]:
        assert job["error_type"] == "job_not_found"
    assert beta.post("/v2/jobs:forget", json={"ids": ids}).status_code == 204
    assert tenants["acme"].get(f"/v2/jobs/{quote(things.done)}/result").status_code == 200
    body = {
        "input_file_id": things.file,
        "endpoint": "/v2/models/embedding/infer",
        "completion_window": "24h",
    }
    answer = beta.post("/v1/batches", json=body)
    assert (answer.status_code, "no file" in answer.text) == (400, True)
    for path in (f"/v1/files?after={things.file}", f"/v1/batches?after={things.batch}"):
        assert beta.get(path).status_code == 400


@pytest.mark.parametrize("prefix", ["acme:", "acme%3A", "-:", ":", "beta:acme:"])
def test_no_spelling_of_an_id_leaves_a_tenants_space(
    tenants: Tenants, things: Things, prefix: str
) -> None:
    name = prefix + quote(things.done)
    for key in ("beta", "acme"):
        assert tenants[key].get(f"/v2/jobs/{name}").status_code == 404
        assert tenants[key].post(f"/v2/jobs/{name}/cancel").status_code == 404


def test_an_admin_sees_all(tenants: Tenants, things: Things) -> None:
    admin = tenants["admin"]
    listed = {job["id"] for job in admin.get("/v2/jobs?limit=1000").json()["jobs"]}
    for job in (things.waiting, things.done, things.tracking):
        assert f"acme:{job}" in listed
        shown = admin.get(f"/v2/jobs/{quote(f'acme:{job}', safe='')}").json()
        assert shown["id"] == f"acme:{job}"
        assert admin.get(shown["status_url"]).json()["id"] == shown["id"]
    assert things.file in admin.get("/v1/files").text
    assert things.batch in admin.get("/v1/batches").text
    assert admin.get(f"/v1/files/{things.file}/content").status_code == 200
    assert admin.post(f"/v2/jobs/{quote(f'acme:{things.waiting}')}/cancel").status_code == 200
    mine = f"/v2/jobs/{quote(things.waiting)}"
    assert tenants["acme"].get(mine).json()["status"] == "canceled"
