from __future__ import annotations


def test_submit_poll_result(http, worker, texts):
    answer = http.post("/v2/models/embedding/jobs", json=texts("a", "b"))
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert answer.headers["location"] == job["status_url"] == f"/v2/jobs/{job['id']}"
    assert http.get(job["status_url"]).status_code == 202
    assert http.get(job["result_url"]).status_code == 202
    worker.serve()
    assert http.get(job["status_url"]).json()["status"] == "succeeded"
    result = http.get(job["result_url"])
    assert result.status_code == 200
    assert result.json()["id"] == job["id"]
    assert result.json()["outputs"][0]["shape"] == [2, 8]


def test_infer(http, serving, texts):
    answer = http.post("/v2/models/embedding/infer", json=texts("a", id="mine"))
    assert answer.status_code == 200, answer.text
    assert answer.json()["id"] == "mine"
