from __future__ import annotations

import json

import pytest

JOBS = "/v2/models/embedding/jobs"


def submitted(http, texts):
    answer = http.post(JOBS, json=texts("a"))
    assert answer.status_code == 202, answer.text
    return answer.json()


def events(text):
    found = []
    for block in text.split("\n\n"):
        fields = [line.split(": ", 1) for line in block.split("\n") if line and line[0] != ":"]
        lines = dict(fields)
        if lines:
            found.append((int(lines["id"]), lines["event"], json.loads(lines["data"])))
    return found


def test_events_come_as_they_happen_and_end_with_the_job(http, worker, texts):
    job = submitted(http, texts)
    worker.serve_in(0.2)
    with http.stream("GET", job["events_url"]) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in answer.headers
        seen = events(answer.read().decode())
    assert [(n, name) for n, name, _ in seen] == [(1, "queued"), (2, "running"), (3, "succeeded")]
    assert seen[1][2]["worker"] == "test@host/1"
    assert all(data["id"] == job["id"] and data["status"] == name for _, name, data in seen)


def test_missed_events_are_replayed(http, worker, texts):
    job = submitted(http, texts)
    worker.serve()
    for last, expected in (("", [1, 2, 3]), ("0", [1, 2, 3]), ("2", [3]), ("3", []), ("99", [])):
        answer = http.get(job["events_url"], headers={"Last-Event-ID": last})
        assert [number for number, _, _ in events(answer.text)] == expected


@pytest.mark.parametrize("last", ["x", "-1", "²", "1.0"])
def test_a_bad_last_event_id_is_refused(http, texts, last):
    job = submitted(http, texts)
    headers = {"Last-Event-ID": last.encode("latin-1")}
    assert http.get(job["events_url"], headers=headers).status_code == 400
