from __future__ import annotations

import time
from urllib.parse import quote

import httpx
import pytest

from wherry.jobs import JobsSettings, Outcome
from wherry.protocol import codec

from ..conftest import Server

JOBS = "/v2/models/embedding/jobs"


def test_submit_poll_result(http, worker, texts):
    answer = http.post(JOBS, json=texts("a", "b"))
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert answer.headers["location"] == job["status_url"] == f"/v2/jobs/{job['id']}"
    assert job["status"] == "queued"
    assert job["queue_position"] == 0
    assert (job["model_name"], job["model_version"], job["rows"]) == ("embedding", "2", 2)
    waiting = http.get(job["status_url"])
    assert (waiting.status_code, waiting.headers["retry-after"]) == (202, "1")
    assert http.get(job["result_url"]).status_code == 202
    worker.serve()
    done = http.get(job["status_url"])
    assert done.status_code == 200
    assert [c["status"] for c in done.json()["history"]] == ["queued", "running", "succeeded"]
    result = http.get(job["result_url"])
    assert result.status_code == 200
    assert result.json()["id"] == job["id"]
    assert result.json()["outputs"][0]["shape"] == [2, 8]


def test_a_version_can_be_asked_for(http, texts):
    answer = http.post("/v2/models/embedding/versions/1/jobs", json=texts("a"))
    assert answer.json()["model_version"] == "1"


@pytest.mark.parametrize(
    "job_id", ["a/b", "a/result", "x/../y", "ü✓ 😀", "100%", "%2F", "a?b#c", "cancel", "+ +"]
)
def test_any_unicode_can_be_an_id(http, worker, texts, job_id):
    job = http.post(JOBS, json=texts("a", id=job_id)).json()
    assert job["id"] == job_id
    assert job["status_url"] == f"/v2/jobs/{quote(job_id, safe='')}"
    assert http.get(job["status_url"]).json()["id"] == job_id
    worker.serve()
    assert http.get(job["result_url"]).json()["id"] == job_id
    assert http.post(job["cancel_url"]).json()["status"] == "succeeded"
    assert "event: succeeded" in http.get(job["events_url"]).text


@pytest.mark.parametrize("job_id", ["", "x" * 257, "a\nb", "\x00", ".", "..", 7, None, ["x"]])
def test_a_bad_id_is_refused(http, texts, job_id):
    answer = http.post(JOBS, json=texts("a", id=job_id))
    assert answer.status_code == (202 if job_id is None else 400), answer.text
    if job_id is not None:
        assert answer.json()["error"].startswith("id")


def test_unknown_ids_are_not_found(http):
    for path in ("/v2/jobs/nope", "/v2/jobs/nope/result", "/v2/jobs/nope/events", "/v2/jobs/%ff"):
        answer = http.get(path)
        assert (answer.status_code, answer.json()["error_type"]) == (404, "job_not_found")
    assert http.post("/v2/jobs/nope/cancel").status_code == 404
    assert http.get("/v2/jobs/nope?wait=2").status_code == 404


def test_the_same_id_is_the_same_job(http, worker, texts):
    first = http.post(JOBS, json=texts("a", id="one")).json()
    worker.serve()
    again = http.post(JOBS, json=texts("a", id="one"))
    assert (again.status_code, again.json()["status"]) == (202, "succeeded")
    assert again.json()["created_at"] == first["created_at"]
    other = http.post(JOBS, json=texts("b", id="one"))
    assert (other.status_code, other.json()["error_type"]) == (409, "conflict")
    assert http.post("/v2/models/embedding/versions/1/jobs", json=texts("a", id="one")).is_error


def test_the_same_idempotency_key_is_the_same_job(http, texts):
    key = {"Idempotency-Key": "k-1"}
    first = http.post(JOBS, json=texts("a"), headers=key).json()
    assert http.post(JOBS, json=texts("a"), headers=key).json()["id"] == first["id"]
    assert http.post(JOBS, json=texts("b"), headers=key).status_code == 409
    assert http.post(JOBS, json=texts("a"), headers={"Idempotency-Key": "k" * 257}).is_error


def test_a_long_poll_ends_with_the_job(http, worker, texts):
    job = http.post(JOBS, json=texts("a")).json()
    worker.serve_in(0.2)
    started = time.monotonic()
    answer = http.get(job["status_url"], params={"wait": "30"})
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
    assert 0.1 < time.monotonic() - started < 15


def test_a_long_poll_ends_in_time(http, texts):
    job = http.post(JOBS, json=texts("a")).json()
    started = time.monotonic()
    assert http.get(job["status_url"], headers={"Prefer": "wait=0.2"}).status_code == 202
    assert http.get(job["result_url"], params={"wait": "0.2"}).status_code == 202
    assert 0.35 < time.monotonic() - started < 15


@pytest.mark.parametrize("wait", ["x", "-1", "nan", "1;2"])
def test_a_bad_wait_is_refused(http, texts, wait):
    job = http.post(JOBS, json=texts("a")).json()
    assert http.get(job["status_url"], params={"wait": wait}).status_code == 400


def test_submit_waits_when_asked(http, serving, texts):
    answer = http.post(JOBS, json=texts("a"), headers={"Prefer": "wait=3"})
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
    assert answer.headers["preference-applied"] == "wait"


def test_submit_does_not_wait_for_ever(http, texts):
    answer = http.post(JOBS, json=texts("a"), headers={"Prefer": 'respond-async, wait="0.1"'})
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")


def test_cancel_while_it_waits(http, worker, texts):
    job = http.post(JOBS, json=texts("a")).json()
    assert http.post(job["cancel_url"]).json()["status"] == "canceled"
    assert http.get(job["status_url"]).status_code == 200
    gone = http.get(job["result_url"])
    assert (gone.status_code, gone.json()["error_type"]) == (410, "canceled")
    assert worker.serve() == 0


def test_cancel_while_it_runs(http, worker, texts):
    job = http.post(JOBS, json=texts("a")).json()
    [(claimed, stats)] = worker.claim()
    assert http.post(job["cancel_url"]).json()["status"] == "running"
    worker.finish(worker.answer(claimed, stats), stats)
    assert http.get(job["status_url"]).json()["status"] == "canceled"


def test_an_expired_job_is_gone(http, worker, texts):
    job = http.post(JOBS, json=texts("a", parameters={"timeout": 1000})).json()
    time.sleep(0.02)
    worker.serve()
    assert http.get(job["status_url"]).json()["status"] == "expired"
    assert http.get(job["result_url"]).status_code == 410


@pytest.mark.parametrize(
    ("code", "status"),
    [("invalid_row", 400), ("backend_error", 500), ("worker_lost", 500), ("out_of_memory", 500)],
)
def test_a_failed_job_answers_its_error(http, worker, texts, code, status):
    job = http.post(JOBS, json=texts("a")).json()
    [(claimed, stats)] = worker.claim()
    worker.finish(
        Outcome(id=claimed.id, attempt=1, error_type=code, error="row 0: no picture"), stats
    )
    seen = http.get(job["status_url"]).json()
    assert seen["error"] == {"type": code, "message": "row 0: no picture"}
    answer = http.get(job["result_url"])
    assert answer.status_code == status
    assert answer.json()["error"] == "row 0: no picture"
    assert answer.json()["error_type"] == code
    assert answer.json()["job"]["status"] == "failed"


def test_a_result_comes_as_the_reader_wants_it(http, worker, texts):
    job = http.post(JOBS, json=texts("a")).json()
    worker.serve()
    plain = http.get(job["result_url"])
    assert plain.headers["content-type"] == "application/json"
    for asked in (
        {"params": {"binary": "true"}},
        {"headers": {"Accept": "application/octet-stream"}},
    ):
        raw = http.get(job["result_url"], **asked)
        length = int(raw.headers["inference-header-content-length"])
        assert len(raw.content) == length + 8 * 4
    assert http.get(job["result_url"], params={"output": "embedding"}).status_code == 200
    unknown = http.get(job["result_url"], params={"output": "nope"})
    assert (unknown.status_code, "nope" in unknown.json()["error"]) == (400, True)


def test_a_result_without_a_json_form_comes_in_binary(http, texts, without_json_form):
    job = http.post(JOBS, json=texts("a")).json()
    without_json_form(job["id"])
    refused = http.get(job["result_url"])
    assert (refused.status_code, refused.json()["error_type"]) == (400, "invalid_tensor")
    assert "ask for binary data" in refused.json()["error"]
    raw = http.get(job["result_url"], params={"binary": "true"})
    length = int(raw.headers["inference-header-content-length"])
    first, second = codec.decode_response(raw.content, length).outputs[0].flat()
    assert first == 1
    assert second != second


def test_what_only_says_the_default_makes_no_other_request(http, texts):
    first = http.post(JOBS, json=texts("a", id="one"))
    defaults = {"priority": 0, "timeout": 0, "on_row_error": "fail", "normalize": True}
    again = http.post(JOBS, json=texts("a", id="one", parameters=defaults, outputs=[]))
    assert (again.status_code, again.json()["id"]) == (first.status_code, "one")
    other = http.post(JOBS, json=texts("a", id="one", parameters={"priority": 4}))
    assert other.status_code == 409


def test_the_outputs_that_were_asked_for_come_in_that_order(http, worker):
    image = {"name": "image", "shape": [1], "datatype": "BYTES", "data": ["aGk="]}
    wanted = [{"name": "score"}, {"name": "label"}]
    body = {"inputs": [image], "outputs": wanted}
    job = http.post("/v2/models/image-classification/jobs", json=body).json()
    worker.serve()
    outputs = http.get(job["result_url"]).json()["outputs"]
    assert [o["name"] for o in outputs] == ["score", "label"]


def test_large_bytes_go_to_the_store_and_back(http, worker, texts, jobs_settings):
    long = "x" * (jobs_settings.inline_max_bytes + 1)
    job = http.post(JOBS, json=texts(long)).json()
    [(claimed, stats)] = worker.claim()
    assert claimed.payload_ref
    worker.finish(worker.answer(claimed, stats), stats)
    assert http.get(job["result_url"]).status_code == 200


def test_a_large_result_can_be_fetched_from_the_store(redis_url, api_settings, worker, texts):
    s3 = JobsSettings(
        redis_url=redis_url,
        store_url="s3://bucket/answers",
        s3_endpoint_url="http://127.0.0.1:9",
        s3_region="eu-1",
        s3_access_key_id="id",
        s3_secret_access_key="secret",
    )
    with Server(api_settings, s3) as url, httpx.Client(base_url=url, timeout=60) as http:
        job = http.post(JOBS, json=texts("a")).json()
        [(claimed, stats)] = worker.claim()
        answer = Outcome(id=claimed.id, attempt=1, result_ref="answers/x", header_length=17)
        worker.finish(answer, stats)
        for elsewhere in (
            http.get(job["result_url"], params={"redirect": "true"}),
            http.get(job["result_url"], headers={"Prefer": "redirect"}),
        ):
            assert elsewhere.status_code == 307
            where = elsewhere.headers["location"]
            assert where.startswith("http://127.0.0.1:9/bucket/answers/x?")
            assert elsewhere.headers["inference-header-content-length"] == "17"


def test_a_redirect_that_cannot_be_is_the_answer_itself(http, worker, texts):
    job = http.post(JOBS, json=texts("a")).json()
    worker.serve()
    assert http.get(job["result_url"], params={"redirect": "true"}).status_code == 200


def test_the_list_is_paged_and_filtered(http, worker, texts):
    ids = [http.post(JOBS, json=texts(str(i))).json()["id"] for i in range(3)]
    http.post(f"/v2/jobs/{ids[1]}/cancel")
    page = http.get("/v2/jobs", params={"limit": "2"}).json()
    assert [job["id"] for job in page["jobs"]] == [ids[2], ids[1]]
    rest = http.get("/v2/jobs", params={"limit": "2", "after": page["next"]}).json()
    assert [job["id"] for job in rest["jobs"]] == [ids[0]]
    assert rest["next"] is None
    found = http.get("/v2/jobs", params={"status": "canceled", "model": "embedding"}).json()
    assert [job["id"] for job in found["jobs"]] == [ids[1]]
    assert http.get("/v2/jobs", params={"model": "nope"}).json()["jobs"] == []


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "²"}, {"status": "odd"}, {"after": "x"}, {"limit": "1e3"}]
)
def test_a_bad_list_query_is_refused(http, query):
    assert http.get("/v2/jobs", params=query).status_code == 400
