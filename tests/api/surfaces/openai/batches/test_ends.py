"""Batches that end early, change hands, or break off."""

from __future__ import annotations

import time

import httpx
import pytest

from wherry.api.settings import ApiSettings
from wherry.api.surfaces.openai.batches.answers import LineResponse
from wherry.api.surfaces.openai.batches.lines import Line
from wherry.api.surfaces.openai.batches.work import Work
from wherry.jobs import JobsSettings
from wherry.jobs.batches import cancel_batch

from ....batch_calls import create, ended, jsonl, line, lines_of
from ....conftest import Server, Worker


def test_a_cancelled_batch_keeps_what_was_answered(http: httpx.Client, worker: Worker) -> None:
    batch_id = create(http, jsonl([line(n) for n in range(200)]))
    served, deadline = 0, time.monotonic() + 10
    while served < 40 and time.monotonic() < deadline:
        served += worker.serve()
        time.sleep(0.01)
    answer = http.post(f"/v1/batches/{batch_id}/cancel")
    assert answer.json()["status"] == "cancelling"
    assert answer.json()["cancelling_at"]
    batch = ended(http, batch_id)
    assert batch["status"] == "cancelled"
    assert batch["cancelled_at"]
    done = [x["custom_id"] for x in lines_of(http, batch["output_file_id"])]
    left = lines_of(http, batch["error_file_id"])
    assert len(done) >= 32
    assert batch["request_counts"] == {"total": 200, "completed": len(done), "failed": len(left)}
    assert sorted([*done, *(x["custom_id"] for x in left)]) == sorted(f"c{n}" for n in range(200))
    assert {x["error"]["code"] for x in left} == {"batch_cancelled"}
    assert all(x["response"] is None for x in left)
    assert http.get("/v2/queues").json()["totals"]["waiting"] == 0
    again = http.post(f"/v1/batches/{batch_id}/cancel")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "conflict")


def test_a_batch_whose_time_is_up_expires(http: httpx.Client, worker: Worker) -> None:
    batch_id = create(http, jsonl([line(n) for n in range(80)]), completion_window="1s")
    batch = ended(http, batch_id)
    assert batch["status"] == "expired"
    assert batch["expired_at"]
    left = lines_of(http, batch["error_file_id"])
    assert [x["custom_id"] for x in left] == [f"c{n}" for n in range(80)]
    assert {x["error"]["code"] for x in left} == {"batch_expired"}


def test_a_batch_whose_input_is_deleted_fails(
    api_settings: ApiSettings, jobs_settings: JobsSettings, redis_url: str
) -> None:
    jobs = jobs_settings.model_copy(update={"key_prefix": "apart"})
    idle = api_settings.model_copy(update={"batches_at_once": 0})
    with Server(idle, jobs) as url, httpx.Client(base_url=url, timeout=60) as http:
        batch_id = create(http, jsonl([line(0)]))
        batch = http.get(f"/v1/batches/{batch_id}").json()
        assert http.delete(f"/v1/files/{batch['input_file_id']}").json()["deleted"]
    with Server(api_settings, jobs) as url, httpx.Client(base_url=url, timeout=60) as http:
        batch = ended(http, batch_id)
        assert (batch["status"], batch["errors"]["data"][0]["code"]) == ("failed", "file_gone")


def test_another_process_goes_on_where_one_stopped(
    api_settings: ApiSettings, jobs_settings: JobsSettings, worker: Worker
) -> None:
    with Server(api_settings, jobs_settings) as url, httpx.Client(base_url=url, timeout=60) as http:
        batch_id = create(http, jsonl([line(n) for n in range(150)]))
        served = 0
        while served < 60:
            served += worker.serve()
            time.sleep(0.01)
    with Server(api_settings, jobs_settings) as url, httpx.Client(base_url=url, timeout=60) as http:
        deadline = time.monotonic() + 20
        while http.get(f"/v1/batches/{batch_id}").json()["status"] != "completed":
            served += worker.serve()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        batch = ended(http, batch_id)
        found = [x["custom_id"] for x in lines_of(http, batch["output_file_id"])]
    assert found == [f"c{n}" for n in range(150)]
    assert served == 150, "no line was run twice"


def test_a_fault_of_ours_loses_no_line(
    http: httpx.Client, serving: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, seen = Work._write, []

    def break_off(self: Work, one: Line, custom_id: str, found: LineResponse) -> None:
        written(self, one, custom_id, found)
        seen.append(one.number)
        if len(seen) == 30:
            raise RuntimeError("a fault")

    monkeypatch.setattr(Work, "_write", break_off)
    batch = ended(http, create(http, jsonl([line(n) for n in range(100)])), 40)
    assert batch["request_counts"] == {"total": 100, "completed": 100, "failed": 0}
    found = lines_of(http, batch["output_file_id"])
    assert [one["custom_id"] for one in found] == [f"c{n}" for n in range(100)]


def test_a_batch_that_only_breaks_off_fails_at_last(
    http: httpx.Client, serving: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(Work, "_write", break_off)
    batch = ended(http, create(http, jsonl([line(0)])), 60)
    assert (batch["status"], batch["output_file_id"]) == ("failed", None)
    assert batch["errors"]["data"][0]["code"] == "internal_error"


def test_a_cancellation_is_carried_out_by_another_process(
    api_settings: ApiSettings, jobs_settings: JobsSettings, worker: Worker
) -> None:
    with Server(api_settings, jobs_settings) as url, httpx.Client(base_url=url, timeout=60) as http:
        batch_id = create(http, jsonl([line(n) for n in range(80)]))
        deadline = time.monotonic() + 10
        while not http.get("/v2/queues").json()["totals"]["waiting"]:
            assert time.monotonic() < deadline
    worker.queue.run(cancel_batch(batch_id, jobs_settings))
    with Server(api_settings, jobs_settings) as url, httpx.Client(base_url=url, timeout=60) as http:
        batch = ended(http, batch_id)
        assert batch["status"] == "cancelled"
        assert len(lines_of(http, batch["error_file_id"])) == 80
        assert http.get("/v2/queues").json()["totals"]["waiting"] == 0


def test_processes_share_batches(
    api_settings: ApiSettings, jobs_settings: JobsSettings, serving: Worker
) -> None:
    with (
        Server(api_settings, jobs_settings) as one,
        Server(api_settings, jobs_settings) as two,
        httpx.Client(base_url=one, timeout=20) as http,
        httpx.Client(base_url=two, timeout=20) as other,
    ):
        data = jsonl([line(n) for n in range(40)])
        ids = [create(client, data) for client in (http, other) for _ in range(4)]
        for batch_id in ids:
            batch = ended(other, batch_id, 60)
            assert batch["request_counts"] == {"total": 40, "completed": 40, "failed": 0}
            names = [x["custom_id"] for x in lines_of(http, batch["output_file_id"])]
            assert names == [f"c{n}" for n in range(40)]
