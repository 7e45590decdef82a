from __future__ import annotations

import time

import httpx
import pytest

from ..conftest import Server


@pytest.fixture
def small_answers(api_settings, jobs_settings, http):
    """A server whose answers hold few results."""
    settings = api_settings.model_copy(update={"max_results_bytes": 1000})
    with Server(settings, jobs_settings) as url, httpx.Client(base_url=url) as client:
        yield client


def entry(request, model="embedding", **fields):
    return {"model_name": model, "request": request, **fields}


def test_each_entry_has_its_own_outcome(http, worker, texts):
    body = {
        "jobs": [
            entry(texts("a", id="one")),
            entry(texts("a"), model="nope"),
            entry(texts("a"), model_version="1"),
            entry({"inputs": []}),
            "x",
            entry(texts("b", id="one")),
            entry(texts("a"), model_version=1),
            {"request": texts("a")},
            entry({"inputs": [{**texts("a")["inputs"][0], "parameters": {"binary_data_size": 1}}]}),
        ]
    }
    answer = http.post("/v2/jobs:batch", json=body)
    assert answer.status_code == 200, answer.text
    outcomes = answer.json()["jobs"]
    assert [o["index"] for o in outcomes] == list(range(9))
    assert [o["status_code"] for o in outcomes] == [202, 404, 202, 400, 400, 409, 400, 400, 400]
    assert outcomes[0]["job"]["id"] == "one"
    assert outcomes[2]["job"]["model_version"] == "1"
    assert outcomes[1]["error_type"] == "model_not_found"
    assert worker.serve() == 2


def test_a_full_queue_refuses_the_rest(http, texts, jobs_settings):
    full = jobs_settings.max_waiting
    answer = http.post("/v2/jobs:batch", json={"jobs": [entry(texts("a"))] * (full + 2)})
    codes = [o["status_code"] for o in answer.json()["jobs"]]
    assert codes == [202] * full + [503] * 2
    refused = http.post("/v2/models/embedding/jobs", json=texts("a"))
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert refused.json()["error_type"] == "queue_full"


def test_a_body_that_is_no_batch_is_refused(http, api_settings):
    too_many: object = {"jobs": [{}] * (api_settings.max_jobs_per_batch + 1)}
    bodies: list[object] = [{}, {"jobs": []}, {"jobs": {}}, [], too_many]
    for body in bodies:
        assert http.post("/v2/jobs:batch", json=body).status_code == 400
    assert http.post("/v2/jobs:batch", content=b"{").status_code == 400


def test_states_of_many_in_the_order_of_the_ids(http, worker, texts):
    for job_id in ("b", "a"):
        http.post("/v2/models/embedding/jobs", json=texts("x", id=job_id))
    answer = http.post("/v2/jobs:status", json={"ids": ["a", "nope", "b"]})
    views = answer.json()["jobs"]
    assert [view["id"] for view in views] == ["a", "nope", "b"]
    assert views[0]["status"] == "queued"
    assert views[1]["error_type"] == "job_not_found"


def test_ended_jobs_are_let_go_and_others_stay(http, worker, texts):
    for job_id in ("a", "b"):
        http.post("/v2/models/embedding/jobs", json=texts("x", id=job_id))
    worker.serve()
    http.post("/v2/models/embedding/jobs", json=texts("x", id="waits"))
    answer = http.post("/v2/jobs:forget", json={"ids": ["a", "waits", "nope"]})
    assert (answer.status_code, answer.content) == (204, b"")
    states = http.post("/v2/jobs:status", json={"ids": ["a", "b", "waits"]}).json()["jobs"]
    assert [view.get("status") for view in states] == [None, "succeeded", "queued"]
    assert [job["id"] for job in http.get("/v2/jobs").json()["jobs"]] == ["waits", "b"]
    assert http.post("/v2/jobs:forget", json={"ids": "a"}).status_code == 400
    assert http.post("/v2/jobs:forget", json={"ids": []}).status_code == 204


def test_states_wait_for_the_first_end(http, worker, texts):
    for job_id in ("a", "b"):
        http.post("/v2/models/embedding/jobs", json=texts("x", id=job_id))
    http.post("/v2/jobs/b/cancel")
    worker.serve_in(0.2)
    started = time.monotonic()
    answer = http.post("/v2/jobs:status", json={"ids": ["a"], "wait": 30, "results": True})
    assert 0.1 < time.monotonic() - started < 15
    [view] = answer.json()["jobs"]
    assert view["status"] == "succeeded"
    assert view["result"]["outputs"][0]["shape"] == [1, 8]
    at_once = http.post("/v2/jobs:status", json={"ids": ["b"], "wait": 3, "results": True})
    assert at_once.json()["jobs"][0]["status"] == "canceled"


def test_results_beyond_the_bytes_of_one_answer_are_asked_for_again(small_answers, worker, texts):
    ids = ["big", "canceled", "a", "b"]
    for job_id in ids:
        words = ["x"] * 64 if job_id == "big" else ["x"]
        small_answers.post("/v2/models/embedding/jobs", json=texts(*words, id=job_id))
    small_answers.post("/v2/jobs/canceled/cancel")
    while worker.serve():
        pass

    def ask(*ids: str) -> dict[str, str]:
        body = {"ids": [*ids, "nope"], "results": True}
        views = small_answers.post("/v2/jobs:status", json=body).json()["jobs"]
        omitted = {view["id"] for view in views if view.get("result_omitted")}
        assert all(view["status"] == "succeeded" for view in views if view["id"] in omitted)
        shown = {v["id"]: v["result"]["id"] for v in views if "result" in v}
        assert not omitted & set(shown)
        assert omitted | set(shown) == set(ids) - {"canceled"}
        return shown

    # The first goes out whatever its size; in the next answer both have room.
    assert ask(*ids) == {"big": "big"}
    assert ask("a", "canceled", "b") == {"a": "a", "b": "b"}
    assert ask("a", "big", "b") == {"a": "a"}


def test_a_result_without_a_json_form_is_its_own_error(http, worker, texts, without_json_form):
    for job_id in ("odd", "good"):
        http.post("/v2/models/embedding/jobs", json=texts("x", id=job_id))
    without_json_form("odd")
    worker.serve()
    body = {"ids": ["odd", "good"], "results": True}
    odd, good = http.post("/v2/jobs:status", json=body).json()["jobs"]
    assert (odd["status"], odd["error_type"]) == ("succeeded", "invalid_tensor")
    assert "result" not in odd
    assert good["result"]["outputs"][0]["shape"] == [1, 8]


def test_bad_status_bodies_are_refused(http):
    for body in (
        {},
        {"ids": "a"},
        {"ids": [1]},
        {"ids": ["a"], "wait": "x"},
        {"ids": ["a"] * 1001},
    ):
        assert http.post("/v2/jobs:status", json=body).status_code == 400
    assert http.post("/v2/jobs:status", content=b'{"ids":["\\ud800"]}').status_code == 400
    assert http.post("/v2/jobs:status", json={"ids": []}).json() == {"jobs": []}
