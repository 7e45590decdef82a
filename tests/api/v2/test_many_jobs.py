from __future__ import annotations

import json
import time

import httpx
import numpy as np
import pytest

from wherry.protocol import codec, many, v2

from ..conftest import Server

OCTETS = "application/octet-stream"


@pytest.fixture
def small_answers(api_settings, jobs_settings, http):
    """A server whose answers hold few results."""
    settings = api_settings.model_copy(update={"max_results_bytes": 1000})
    with Server(settings, jobs_settings) as url, httpx.Client(base_url=url, timeout=60) as client:
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


def submission(*requests, model="embedding"):
    """A body of requests with their raw tensors behind, as httpx sends it."""
    body, length = many.encode_submission(model, map(codec.request_of, requests))
    return {"content": body, "headers": {"Inference-Header-Content-Length": str(length)}}


def test_raw_tensors_make_the_same_jobs_as_json(http, worker, texts):
    mine = [texts("a", "é", id="one"), texts("b", id="two")]
    answer = http.post("/v2/jobs:batch", **submission(*mine))
    assert answer.status_code == 200, answer.text
    assert [o["job"]["status"] for o in answer.json()["jobs"]] == ["queued", "queued"]
    again = http.post("/v2/jobs:batch", json={"jobs": [entry(request) for request in mine]})
    assert [o["status_code"] for o in again.json()["jobs"]] == [202, 202], "they are known"
    alone = http.post("/v2/models/embedding/jobs", json=mine[0])
    assert alone.status_code == 202
    assert worker.serve() == 2
    assert http.get("/v2/jobs/one/result").json()["outputs"][0]["shape"] == [2, 8]


def test_each_entry_with_raw_tensors_has_its_own_outcome(http, worker, texts):
    def raw(shape: int, **fields):
        size = {"binary_data_size": 5}
        tensor = {"name": "text", "shape": [shape], "datatype": "BYTES", "parameters": size}
        return {"inputs": [tensor], **fields}

    jobs = [
        entry(raw(1, id="one")),
        entry(raw(2)),
        entry(texts("in JSON", id="two")),
        entry(raw(1), model="nope"),
        "x",
        entry(raw(1, id="one")),
    ]
    head = json.dumps({"jobs": jobs}).encode()
    behind = b"".join(b"\1\0\0\0" + letter for letter in (b"a", b"b", b"c", b"d"))
    form = {"Inference-Header-Content-Length": str(len(head)), "Prefer": "return=minimal"}
    answer = http.post("/v2/jobs:batch", content=head + behind, headers=form)
    outcomes = answer.json()["jobs"]
    assert [o["status_code"] for o in outcomes] == [202, 400, 202, 404, 400, 409]
    assert outcomes[0]["job"] == {"id": "one"}
    assert outcomes[1]["error_type"] == "invalid_tensor"
    assert worker.serve() == 2


def test_a_broken_body_with_raw_tensors_is_refused_by_name(http, texts):
    sent = submission(texts("a"), texts("b"))
    cut = http.post("/v2/jobs:batch", content=sent["content"][:-1], headers=sent["headers"])
    assert cut.status_code == 400
    assert (
        "jobs[1].request.inputs[0].parameters.binary_data_size is 5, but 4" in cut.json()["error"]
    )
    for length in ("x", "-1", "9999"):
        form = {"Inference-Header-Content-Length": length}
        answer = http.post("/v2/jobs:batch", content=sent["content"], headers=form)
        assert (answer.status_code, length in answer.json()["error"]) == (400, True)


def test_raw_tensors_are_bounded_as_any_body(http, api_settings):
    large = {"name": "image", "shape": [1], "datatype": "BYTES"}
    request = {"inputs": [{**large, "data": ["A" * (api_settings.max_body_bytes + 8)]}]}
    answer = http.post("/v2/jobs:batch", **submission(request, model="image-classification"))
    assert (answer.status_code, answer.json()["error_type"]) == (413, "payload_too_large")


def read_results(answer):
    """The states of an answer with raw tensors, and its responses by job."""
    length = answer.headers["inference-header-content-length"]
    views = many.decode_results(answer.content, int(length))["jobs"]
    results = {v["id"]: v2.InferenceResponse.parse(v.pop("result")) for v in views if "result" in v}
    return views, results


def test_many_answers_come_as_they_are_stored(http, worker, texts, without_json_form):
    for job_id in ("odd", "good", "waits"):
        http.post("/v2/models/embedding/jobs", json=texts("x", id=job_id))
    http.post("/v2/jobs/waits/cancel")
    without_json_form("odd")
    ids = ["good", "waits", "odd", "nope"]
    answer = http.post(
        "/v2/jobs:status",
        json={"ids": ids, "results": True},
        headers={"Accept": f"{OCTETS}, application/json", "Prefer": "return=minimal"},
    )
    assert answer.headers["content-type"] == OCTETS
    views, results = read_results(answer)
    assert views[:3] == [
        {"id": "good", "status": "succeeded"},
        {"id": "waits", "status": "canceled"},
        {"id": "odd", "status": "succeeded"},
    ]
    assert views[3]["error_type"] == "job_not_found"
    assert results["good"].output("embedding").shape == [1, 8]
    assert np.isnan(results["odd"].output("embedding").flat()[1])
    alone = http.get("/v2/jobs/good/result").json()
    assert results["good"].output("embedding").data == alone["outputs"][0]["data"]


def test_raw_answers_beyond_the_bytes_of_one_are_asked_for_again(small_answers, worker, texts):
    for job_id, words in (("big", ["x"] * 64), ("a", ["x"])):
        small_answers.post("/v2/models/embedding/jobs", json=texts(*words, id=job_id))
    while worker.serve():
        pass
    body = {"ids": ["big", "a"], "results": True}
    answer = small_answers.post("/v2/jobs:status", json=body, headers={"Accept": OCTETS})
    views, results = read_results(answer)
    assert (list(results), views[1]["result_omitted"]) == (["big"], True)
    assert views[0]["model_name"] == "embedding", "all is told where nothing else is asked for"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (None, "expected an object with model_name and request, got null"),
        ({"request": {}}, "model_name: expected a model's name"),
        ({"model_name": "embedding"}, "request: expected what one job's body holds"),
        ({"model_name": "embedding", "request": [1]}, "an object with inputs, got a list"),
        (
            {"model_name": "embedding", "request": {}, "model_version": 1},
            "model_version: expected a string, got an integer",
        ),
        (
            entry(
                {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": [None]}]}
            ),
            "tensor 'text': BYTES data holds null; each element is to be a string",
        ),
    ],
)
def test_an_entry_that_is_none_says_what_it_should_be(http, given, told):
    (outcome,) = http.post("/v2/jobs:batch", json={"jobs": [given]}).json()["jobs"]
    assert outcome["status_code"] == 400
    assert told in outcome["error"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (None, "expected a JSON object, got null"),
        ({}, "jobs: expected a list of 1 to 1000 entries, got null"),
        ({"jobs": []}, "got 0 of them"),
    ],
)
def test_a_body_that_is_none_says_what_it_should_be(http, body, told):
    answer = http.post("/v2/jobs:batch", content=json.dumps(body))
    assert answer.status_code == 400
    assert told in answer.json()["error"]
