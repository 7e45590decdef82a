from __future__ import annotations

import json
import threading

import pytest

from wherry.protocol import codec, v2

INFER = "/v2/models/embedding/infer"


def test_infer_answers_the_request(http, serving, texts):
    answer = http.post(INFER, json=texts("a", "b"))
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["model_name"], body["model_version"]) == ("embedding", "2")
    [output] = body["outputs"]
    assert output["shape"] == [2, 8]
    assert len(output["data"]) == 2


@pytest.mark.parametrize("request_id", ["mine", "", "ü/✓", "x" * 1000])
def test_the_id_is_echoed_and_may_repeat(http, serving, texts, request_id):
    for word in ("a", "b"):
        answer = http.post(INFER, json=texts(word, id=request_id))
        assert (answer.status_code, answer.json()["id"]) == (200, request_id)


def test_binary_in_and_out(http, serving):
    raw = b"\x01\x00\x00\x00a"
    tensor = {
        "name": "text",
        "shape": [1],
        "datatype": "BYTES",
        "parameters": {"binary_data_size": len(raw)},
    }
    wanted = [{"name": "embedding", "parameters": {"binary_data": True}}]
    header = json.dumps({"id": "b", "inputs": [tensor], "outputs": wanted}).encode()
    answer = http.post(
        INFER, content=header + raw, headers={"Inference-Header-Content-Length": str(len(header))}
    )
    assert answer.status_code == 200, answer.text
    length = int(answer.headers["inference-header-content-length"])
    response = codec.decode_response(answer.content, length)
    assert response.id == "b"
    assert response.outputs[0].is_raw
    assert len(answer.content) == length + 32


def test_everything_binary_when_asked(http, serving, texts):
    answer = http.post(INFER, json=texts("a", parameters={"binary_data_output": True}))
    assert answer.headers["content-type"] == "application/octet-stream"


def test_json_and_binary_requests_get_the_same_answer(http, serving, texts):
    request = v2.InferenceRequest.parse(texts("a", "b"))
    body, length = codec.encode_request(request, binary=True)
    raw = http.post(INFER, content=body, headers={"Inference-Header-Content-Length": str(length)})
    assert raw.json()["outputs"] == http.post(INFER, json=texts("a", "b")).json()["outputs"]


def test_no_answer_in_time_names_the_job(http, worker, texts):
    answer = http.post(INFER, json=texts("a"), headers={"Prefer": "wait=0.4"})
    assert (answer.status_code, answer.json()["error_type"]) == (504, "deadline_exceeded")
    where = answer.headers["location"]
    assert where == f"/v2/jobs/{answer.json()['id']}"
    worker.serve()
    assert http.get(f"{where}/result").status_code == 200


def test_respond_async_submits(http, worker, texts):
    answer = http.post(INFER, json=texts("a", id="later"), headers={"Prefer": "respond-async"})
    assert (answer.status_code, answer.json()["id"]) == (202, "later")
    assert answer.headers["preference-applied"] == "respond-async"
    assert answer.headers["location"] == "/v2/jobs/later"
    worker.serve()
    assert http.get("/v2/jobs/later").json()["status"] == "succeeded"


def test_respond_async_answers_at_once_when_the_wait_is_enough(http, serving, texts):
    prefer = {"Prefer": "respond-async, wait=3"}
    answer = http.post(INFER, json=texts("a"), headers=prefer)
    assert (answer.status_code, "outputs" in answer.json()) == (200, True)


def test_the_same_idempotency_key_is_the_same_job(http, worker, texts):
    key = {"Idempotency-Key": "infer-1", "Prefer": "wait=2"}
    worker.serve_in(0.1)
    first = http.post(INFER, json=texts("a", id="x"), headers=key)
    assert first.status_code == 200, first.text
    again = http.post(INFER, json=texts("a", id="y"), headers=key)
    assert (again.status_code, again.json()["outputs"]) == (200, first.json()["outputs"])
    assert again.json()["id"] == "y"
    assert len(http.get("/v2/jobs").json()["jobs"]) == 1
    other = http.post(INFER, json=texts("b"), headers=key)
    assert (other.status_code, other.json()["error_type"]) == (409, "conflict")


def test_respond_async_sent_again_answers_what_there_is(http, worker, texts):
    prefer = {"Prefer": "respond-async"}
    assert http.post(INFER, json=texts("a", id="again"), headers=prefer).status_code == 202
    worker.serve()
    answer = http.post(INFER, json=texts("a", id="again"), headers=prefer)
    assert (answer.status_code, answer.json()["id"]) == (200, "again")
    assert "outputs" in answer.json()


def test_a_slow_answer_comes_too(http, worker, texts):
    worker.serve_in(0.6)
    assert http.post(INFER, json=texts("a")).status_code == 200


def test_a_failed_job_is_its_error(http, worker):
    worker.serve_in(0.1)  # when it is late
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}
    job = {"inputs": [tensor], "parameters": {"timeout": 1000}}
    answer = http.post(INFER, json=job)
    assert (answer.status_code, answer.json()["error_type"]) == (410, "expired")


@pytest.mark.parametrize("timeout", [1, 999])
def test_a_timeout_that_no_queue_could_keep_is_not_heeded(http, worker, texts, timeout):
    worker.serve_in(0.1)
    answer = http.post(INFER, json=texts("a", parameters={"timeout": timeout}))
    assert answer.status_code == 200


def test_many_callers_each_get_their_own_answer(http, serving, texts):
    expected = {word: http.post(INFER, json=texts(word)).json()["outputs"] for word in "abcd"}
    answers: list[tuple[str, dict[str, object]]] = []

    def ask(word):
        answers.extend((word, http.post(INFER, json=texts(word)).json()) for _ in range(10))

    threads = [threading.Thread(target=ask, args=(word,)) for word in "abcd" * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 80
    assert all(expected[word] == answer["outputs"] for word, answer in answers)


def tensor(**changes):
    return {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"], **changes}


BAD_BODIES = [
    (b"", "empty"),
    (b"{", "JSON"),
    (b"[]", "object"),
    (b"null", "object"),
    (b"\xff", "JSON"),
    ({}, "inputs"),
    ({"inputs": []}, "inputs"),
    ({"inputs": {}}, "inputs"),
    ({"inputs": [{}]}, "inputs[0].name"),
    ({"inputs": [tensor(datatype="FLOAT")]}, "inputs[0].datatype"),
    ({"inputs": [tensor(datatype="FP32", data=[1.0])]}, "'text': expected BYTES, got FP32"),
    ({"inputs": [tensor(shape=[2])]}, "shape [2] needs 2 elements, got 1"),
    ({"inputs": [tensor(shape=[1, 1, 1])]}, "expected shape [-1], got [1, 1, 1]"),
    ({"inputs": [tensor(shape=[-1])]}, "inputs[0].shape[0]"),
    ({"inputs": [tensor(shape=[1.5])]}, "inputs[0].shape[0]"),
    ({"inputs": [tensor(shape=[True])]}, "inputs[0].shape[0]"),
    ({"inputs": [tensor(shape=[2**31, 2**31])]}, "elements"),
    ({"inputs": [tensor(data=[1])]}, "BYTES"),
    ({"inputs": [tensor(name="nope")]}, "unknown input 'nope'"),
    ({"inputs": [tensor(), tensor()]}, "twice"),
    ({"inputs": [tensor(shape=[0], data=[])]}, "texts"),
    ({"inputs": [tensor()], "outputs": [{"name": "nope"}]}, "unknown output 'nope'"),
    ({"inputs": [tensor()], "id": 5}, "id"),
    ({"inputs": [tensor()], "parameters": {"priority": 10}}, "priority"),
    ({"inputs": [tensor()], "parameters": {"priority": True}}, "priority"),
    ({"inputs": [tensor()], "parameters": {"priority": "1"}}, "priority"),
    ({"inputs": [tensor()], "parameters": {"timeout": -1}}, "timeout"),
    ({"inputs": [tensor()], "parameters": {"on_row_error": []}}, "on_row_error"),
    ({"inputs": [tensor()], "parameters": {"normalize": "yes"}}, "normalize"),
    ({"inputs": [tensor(parameters={"binary_data_size": 4})]}, "Header-Content-Length"),
]


@pytest.mark.parametrize(("body", "text"), BAD_BODIES)
@pytest.mark.parametrize("verb", ["infer", "jobs"])
def test_a_malformed_request_is_refused_by_name(http, body, text, verb):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = http.post(f"/v2/models/embedding/{verb}", content=content)
    assert answer.status_code == 400, answer.text
    assert text in answer.json()["error"]
    assert answer.json()["error_type"] in {"invalid_request", "invalid_tensor"}


@pytest.mark.parametrize("length", ["x", "-1", "9999", "1e3", "²", ""])
def test_a_bad_header_length_is_refused(http, texts, length):
    headers = {"Inference-Header-Content-Length": length.encode("latin-1")}
    answer = http.post(INFER, json=texts("a"), headers=headers)
    assert answer.status_code == 400, answer.text


def test_unknown_models_and_versions_are_not_found(http, texts):
    for model in ("nope", "embedding/versions/9"):
        for verb in ("infer", "jobs"):
            answer = http.post(f"/v2/models/{model}/{verb}", json=texts("a"))
            assert (answer.status_code, answer.json()["error_type"]) == (404, "model_not_found")


def test_too_many_rows_are_refused(http, texts, api_settings):
    answer = http.post(INFER, json=texts(*"a" * (api_settings.max_rows_per_job + 1)))
    assert (answer.status_code, answer.json()["error_type"]) == (413, "payload_too_large")


def test_priority_is_the_jobs(http, texts):
    job = http.post("/v2/models/embedding/jobs", json=texts("a", parameters={"priority": 1}))
    assert job.json()["priority"] == 1
    usual = http.post("/v2/models/embedding/jobs", json=texts("a", parameters={"priority": 0}))
    assert usual.json()["priority"] == 5
