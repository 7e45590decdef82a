"""The list of jobs: its filters, its changes as they happen, and what a job was asked."""

from __future__ import annotations

import base64
import json
from contextlib import contextmanager

import httpx
import pytest

from wherry.api.v2 import job_list

JOBS = "/v2/models/embedding/jobs"


def submitted(http, body, model="embedding"):
    answer = http.post(f"/v2/models/{model}/jobs", json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()


def listed(http, **query):
    return [job["id"] for job in http.get("/v2/jobs", params=query).json()["jobs"]]


@pytest.fixture
def ended(http, worker, texts):
    """One that failed, then one that succeeded, then one that waits; oldest first."""
    bad = submitted(http, texts("a", id="bad"))
    [(job, stats)] = worker.claim()
    outcome = worker.answer(job, stats)
    worker.finish(
        type(outcome)(id=job.id, attempt=1, error_type="invalid_row", error="row 0: no"), stats
    )
    good = submitted(http, texts("b", id="good"))
    worker.serve()
    waits = submitted(http, texts("c", id="waits"))
    return [bad, good, waits]


def test_a_list_is_filtered(http, ended):
    assert listed(http) == ["waits", "good", "bad"]
    assert listed(http, status="failed") == ["bad"]
    assert listed(http, error="invalid_row") == ["bad"]
    assert listed(http, error="backend_error") == []
    assert listed(http, model="chat") == []
    assert listed(http, tenant="acme") == []
    assert listed(http, tenant="-", status="queued") == ["waits"]


def test_a_list_is_filtered_by_time(http, ended):
    at = [job["created_at"] for job in ended]
    assert listed(http, since=at[0]) == ["waits", "good", "bad"]
    assert "waits" in listed(http, since=at[2])
    assert "bad" in listed(http, until=at[0])
    assert listed(http, until="2020-01-01T00:00:00Z") == []
    assert listed(http, since="2100-01-01T00:00:00+01:00") == []
    assert listed(http, since=0, until=10**14) == ["waits", "good", "bad"]


def test_a_page_may_begin_at_a_time_and_goes_on(http, worker, texts):
    jobs = [submitted(http, texts("x", id=f"j{n}")) for n in range(9)]
    until = jobs[6]["created_at"]
    whole = listed(http, until=until)
    assert whole[-1] == "j0"
    first = http.get("/v2/jobs", params={"until": until, "limit": 2}).json()
    rest = http.get("/v2/jobs", params={"until": until, "after": first["next"]}).json()
    assert [job["id"] for job in first["jobs"] + rest["jobs"]] == whole


@pytest.mark.parametrize(
    "query", [{"status": "lost"}, {"since": "yesterday"}, {"until": "2026-11-29T10:00:00"}]
)
def test_a_filter_that_says_nothing_is_refused_by_name(http, query):
    for path in ("/v2/jobs", "/v2/jobs:events"):
        answer = http.get(path, params=query)
        assert answer.status_code == 400
        assert next(iter(query)) in answer.json()["error"]


@contextmanager
def followed(http, **query):
    """The events of the list, as they come."""
    with http.stream("GET", "/v2/jobs:events", params=query) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = (line for line in answer.iter_lines() if line.startswith("data: "))
        events = (json.loads(line.removeprefix("data: ")) for line in lines)
        assert next(events) == {"jobs": [], "missed": 0}
        yield events


def seen(events, number):
    """What is told of so many ids, by id."""
    found: dict[str, str] = {}
    while len(found) < number:
        found |= {job["id"]: job["status"] for job in next(events)["jobs"]}
    return found


def test_jobs_that_come_and_change_are_told_as_they_happen(http, worker, texts):
    submitted(http, texts("x", id="before"))
    with followed(http) as events:
        submitted(http, texts("x", id="new"))
        assert seen(events, 1) == {"new": "queued"}
        worker.serve()
        assert seen(events, 2) == {"before": "succeeded", "new": "succeeded"}


def test_events_are_filtered_but_tell_of_jobs_that_leave(http, worker, texts):
    submitted(http, texts("x", id="leaves"))
    with followed(http, model="embedding", status="queued") as events:
        answer = http.post("/v2/models/ranking/jobs", json={"inputs": []})
        assert answer.status_code == 400
        worker.serve()
        assert seen(events, 1) == {"leaves": "succeeded"}
    with followed(http, model="chat") as events:
        submitted(http, texts("x", id="other"))
        submitted(http, chat(), "chat")
        [told] = next(events)["jobs"]
        assert told["model_name"] == "chat"


def chat():
    said = json.dumps([{"role": "user", "content": "hi"}])
    return {
        "inputs": [{"name": "messages", "shape": [1], "datatype": "BYTES", "data": [said]}],
    }


def test_a_tenant_hears_of_its_own_jobs_alone(tenants, keyed_worker, texts):
    with followed(tenants["beta"]) as beta, followed(tenants["admin"]) as admin:
        submitted(tenants["acme"], texts("x", id="hers"))
        assert seen(admin, 1) == {"acme:hers": "queued"}
        submitted(tenants["beta"], texts("x", id="mine"))
        assert seen(beta, 1) == {"mine": "queued"}
    assert tenants["beta"].get("/v2/jobs", params={"tenant": "acme"}).json()["jobs"] == []
    [job] = tenants["admin"].get("/v2/jobs", params={"tenant": "acme"}).json()["jobs"]
    assert (job["id"], job["tenant"]) == ("acme:hers", "acme")


def test_a_stream_ends_when_its_key_is_revoked(tenants):
    made = tenants["admin"].post("/v2/keys", json={"tenant": "gamma", "scopes": ["read"]}).json()
    theirs = {"Authorization": f"Bearer {made['key']}"}
    with httpx.Client(base_url=tenants.url, headers=theirs) as gamma, followed(gamma) as events:
        assert tenants["admin"].delete(f"/v2/keys/{made['id']}").status_code == 204
        assert next(events)["error_type"] == "unauthorized"
        assert next(events, None) is None


def test_streams_of_one_tenant_are_bounded(tenants, monkeypatch):
    monkeypatch.setattr(job_list, "_MOST_STREAMS", 1)
    with followed(tenants["acme"]), followed(tenants["beta"]):
        answer = tenants["acme"].get("/v2/jobs:events")
    assert (answer.status_code, answer.json()["error_type"]) == (429, "limit_reached")


def test_a_job_says_what_its_batch_took(http, worker, texts):
    job = submitted(http, texts("a"))
    assert job["took"] is None
    [(claimed, stats)] = worker.claim()
    measured = type(stats)(
        group=stats.group, rows=3, waited_us=2000, compute_us=5000, output_us=500, total_us=9000
    )
    worker.finish(worker.answer(claimed, stats), measured)
    assert http.get(job["status_url"]).json()["took"] == {
        "decode_ms": 1.5,
        "device_wait_ms": 2.0,
        "compute_ms": 5.0,
        "output_ms": 0.5,
        "total_ms": 9.0,
        "batch_rows": 3,
    }


def test_a_request_is_given_back_as_it_may_be_sent_again(http, worker, texts):
    job = submitted(http, texts("é", "b", parameters={"priority": 2}))
    path = f"{job['status_url']}/request"
    for status in ("queued", "succeeded"):
        assert http.get(job["status_url"]).json()["status"] == status
        asked = http.get(path).json()
        assert asked["inputs"][0]["data"] == ["é", "b"]
        worker.serve()
    submitted(http, asked)
    raw = http.get(path, headers={"Accept": "application/octet-stream"})
    assert raw.content.endswith(b"\x02\x00\x00\x00\xc3\xa9\x01\x00\x00\x00b")
    assert int(raw.headers["inference-header-content-length"]) < len(raw.content)


def test_files_of_a_request_come_back_as_base64(http, worker):
    picture = base64.b64encode(b"\x89PNG no picture").decode()
    tensor = {
        "name": "image",
        "shape": [1],
        "datatype": "BYTES",
        "data": [picture],
        "parameters": {"content_type": "base64"},
    }
    job = submitted(http, {"inputs": [tensor]}, "image-classification")
    [given] = http.get(f"{job['status_url']}/request").json()["inputs"]
    assert (given["data"], given["parameters"]["content_type"]) == ([picture], "base64")


def test_a_request_goes_when_its_job_is_forgotten_or_canceled(http, worker, texts):
    job = submitted(http, texts("a"))
    worker.serve()
    http.post("/v2/jobs:forget", json={"ids": [job["id"]]})
    assert http.get(f"{job['status_url']}/request").json()["error_type"] == "job_not_found"
    job = submitted(http, texts("b"))
    http.post(job["cancel_url"])
    answer = http.get(f"{job['status_url']}/request")
    assert answer.status_code == 404
    assert "WHERRY_KEPT_REQUESTS_BYTES" in answer.json()["error"]


def test_an_event_stream_ends_when_its_reader_goes(http, texts):
    with httpx.Client(base_url=http.base_url) as leaving, followed(leaving):
        pass
    assert submitted(http, texts("a"))["status"] == "queued"
