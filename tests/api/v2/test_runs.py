"""Runs by HTTP: made, found, commanded, cloned, forgotten; each tenant's own."""

from __future__ import annotations

import json
import re
import threading
import time
from pathlib import Path

import pytest

from wherry.api.core.run_changes import RunWatch
from wherry.api.core.run_intake import RunAsked
from wherry.api.egress.outbound import Outbound
from wherry.api.http import openapi_runs
from wherry.jobs.access_keys import all_keys
from wherry.jobs.run_steps import release_step, take_step
from wherry.jobs.run_workers import beat

from ...support.waiting import until
from .run_books import answered

#: The pages that say what a run is told, and tells.
SPEC = Path(__file__).parents[3] / "docs" / "async-extension.md"
STATIC = Path(__file__).parents[3] / "api" / "console" / "static"
CONSOLE, FORM = STATIC / "lib" / "runs.js", STATIC / "pages" / "run_asked.js"

ASKED = {"source": "/data/photos", "model": "image-classification"}


def begun(http, **fields):
    answer = http.post("/v2/runs", json={**ASKED, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_run_begins_goes_on_and_ends(http, runs):
    answer = http.post("/v2/runs", json={**ASKED, "name": "cats", "parameters": {"top_k": 2}})
    assert answer.status_code == 201, answer.text
    run = answer.json()
    assert answer.headers["location"] == f"/v2/runs/{run['id']}" == run["links"]["self"]
    assert run["state"] == "queued"
    assert (run["name"], run["parameters"], run["tenant"]) == ("cats", {"top_k": 2}, None)
    runs.plan(2)
    run = http.get(f"/v2/runs/{run['id']}").json()
    assert run["state"] == "running"
    assert run["rows"]["total"] == 2
    assert run["task"] == "image-classification"
    assert run["shards"] == {"total": 1, "done": 0, "running": 0}
    runs.step("shard/")
    [shard] = http.get(f"/v2/runs/{run['id']}/shards").json()["shards"]
    assert (shard["number"], shard["state"], shard["worker"]) == (0, "running", "tester")


def test_the_pages_tell_all_of_a_runs_document_and_of_what_is_asked(http, runs):
    _, _, runs_part = SPEC.read_text().partition("## 8. Runs")
    asked, document = re.findall(r"```json\n(.*?)```", runs_part, re.DOTALL)[:2]
    run = begun(http)
    assert json.loads(document).keys() == run.keys()
    [example] = openapi_runs.VIEW["responses"][200]["content"].values()
    assert example["example"].keys() == run.keys()
    words = set(re.findall(r"`(\w+)`", runs_part.partition("201 with")[0]))
    assert RunAsked.model_fields.keys() - words - json.loads(asked).keys() == set()
    known = set(re.findall(r"@property \{.*\} \[?(\w+)", CONSOLE.read_text()))
    assert run.keys() - known - {"exports", "links"} == set()


def test_the_same_id_is_the_same_run(http, runs):
    first = begun(http, id="mine")
    again = http.post("/v2/runs", json={**ASKED, "id": "mine"})
    assert again.status_code == 200
    assert again.json()["created_at"] == first["created_at"]
    other = http.post("/v2/runs", json={**ASKED, "id": "mine", "format": "csv"})
    assert (other.status_code, other.json()["error_type"]) == (409, "conflict")
    headers = {"Idempotency-Key": "night 7"}
    keyed = [http.post("/v2/runs", json=ASKED, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in keyed] == [201, 200]
    assert keyed[0].json()["id"] == keyed[1].json()["id"] != "mine"
    assert len(http.get("/v2/runs").json()["runs"]) == 2


@pytest.mark.parametrize(
    ("fields", "status", "told"),
    [
        ({"model": "none"}, 404, "unknown model 'none'"),
        ({"source": ""}, 400, "source"),
        ({"source": "photos/"}, 400, "source"),
        ({"source": "/etc/photos"}, 400, "WHERRY_RUN_PLACES"),
        ({"source": "/data/../etc"}, 400, "WHERRY_RUN_PLACES"),
        ({"source": "upload:none"}, 400, "no upload 'none'"),
        ({"out": "/etc/x.jsonl"}, 400, "out"),
        ({"out": "s3://elsewhere/x"}, 400, "out"),
        ({"out": "/data/"}, 400, "no name of its own"),
        ({"source": "https://example.org/a.csv"}, 400, "WHERRY_RUN_PLACES"),
        ({"source": "@https://example.org/urls.txt"}, 400, "WHERRY_RUN_PLACES"),
        ({"task": "chat"}, 400, "task"),
        ({"task": "nothing"}, 400, "task"),
        ({"format": "coco-detection"}, 400, "cannot hold what image-classification answers"),
        ({"format": "jsnol"}, 400, "did you mean 'jsonl'"),
        ({"format": "word"}, 400, "image-classification has jsonl, "),
        ({"parameters": {"topk": 1}}, 400, "did you mean 'top_k'"),
        ({"parameters": {"top_k": "zero"}}, 400, "parameters.top_k: Input should be"),
        ({"sampel": 5}, 400, "sampel: there is no such field; did you mean 'sample'?"),
        ({"inputs": {"text": "x"}}, 400, "inputs.text"),
        ({"sample": -1}, 400, "sample"),
        ({"reuse": "perhaps"}, 400, "reuse"),
        ({"priority": 0}, 400, "priority"),
        ({"max_device_seconds": 0}, 400, "max_device_seconds"),
        ({"id": "a/b"}, 400, "id"),
        ({"webhook": "https://x.example/"}, 400, "webhook"),
        ({"tenant": "acme"}, 400, "tenant"),
        ({"metadata": {"a": 1}}, 400, "metadata"),
        ({"columns": {"image": "x"}}, 400, "columns"),
    ],
)
def test_what_a_run_cannot_be_is_refused_by_name(http, fields, status, told):
    answer = http.post("/v2/runs", json={**ASKED, **fields})
    assert answer.status_code == status, answer.text
    assert told in answer.json()["error"]
    assert http.get("/v2/runs").json()["runs"] == []


def test_two_runs_never_write_to_one_place(http, runs):
    run = begun(http, out="/data/out/labels.jsonl")
    for spelled in (
        "/data/out/labels.jsonl/",
        "/data/./out//labels.jsonl",
        "file:///data/out/labels.jsonl",
    ):
        answer = http.post("/v2/runs", json={**ASKED, "out": spelled})
        assert (answer.status_code, answer.json()["error_type"]) == (409, "conflict")
        assert "labels.jsonl" in answer.json()["error"]
    begun(http, out="/data/out/others.jsonl")
    http.post(f"/v2/runs/{run['id']}/cancel")
    assert begun(http, out="/data/out/labels.jsonl/")["out"] == "/data/out/labels.jsonl"


def test_a_list_goes_on_page_by_page_and_is_filtered(http, runs):
    made = [begun(http, id=f"r{n}")["id"] for n in range(5)]
    first = http.get("/v2/runs", params={"limit": 2}).json()
    second = http.get("/v2/runs", params={"limit": 2, "after": first["after"]}).json()
    last = http.get("/v2/runs", params={"limit": 2, "after": second["after"]}).json()
    pages = [first, second, last]
    assert [run["id"] for page in pages for run in page["runs"]] == made[::-1]
    assert last["after"] is None
    http.post("/v2/runs/r3/cancel")
    for state, ids in (("canceled", ["r3"]), ("queued", ["r4", "r2", "r1", "r0"]), ("failed", [])):
        found = http.get("/v2/runs", params={"state": state}).json()
        assert [run["id"] for run in found["runs"]] == ids
    assert http.get("/v2/runs", params={"state": "lost"}).status_code == 400
    assert http.get("/v2/runs", params={"after": "none"}).status_code == 400


def test_a_run_is_paused_let_go_on_and_canceled(http, runs):
    begun(http, id="r")
    runs.plan(2, 2)
    step = runs.step("shard/")
    assert http.post("/v2/runs/r/pause").json()["state"] == "paused"
    assert runs.save(step) == "pause"
    assert http.post("/v2/runs/r/resume").json()["state"] == "running"
    assert runs.save(step) == "go"
    canceled = http.post("/v2/runs/r/cancel").json()
    assert canceled["state"] == "canceled"
    assert canceled["ended_at"]
    assert runs.save(step) == "cancel"
    assert http.post("/v2/runs/r/resume").json()["state"] == "canceled"
    assert http.post("/v2/runs/none/pause").status_code == 404


def test_a_run_that_ended_otherwise_is_retried(http, runs):
    begun(http, id="r", out="/data/out.csv")
    runs.plan(2, 2)
    runs.shard([answered(0), answered(1)])
    refused = http.post("/v2/runs/r/retry")
    assert (refused.status_code, refused.json()["error_type"]) == (409, "conflict")
    http.post("/v2/runs/r/cancel")
    assert (
        http.post("/v2/runs", json={**ASKED, "id": "o", "out": "/data/out.csv"}).status_code == 201
    )
    assert "another run writes" in http.post("/v2/runs/r/retry").json()["error"]
    http.post("/v2/runs/o/cancel")
    run = http.post("/v2/runs/r/retry").json()
    assert (run["state"], run["error"], run["ended_at"]) == ("running", None, None)
    assert (run["shards"]["done"], run["rows"]["answered"]) == (1, 2)
    runs.shard([answered(2), answered(3)])
    runs.merge({"out.csv": b"x"})
    assert http.get("/v2/runs/r").json()["state"] == "succeeded"
    assert http.post("/v2/runs/r/retry").status_code == 409
    assert http.post("/v2/runs/none/retry").status_code == 404


def test_what_a_run_waits_for_is_in_its_document(http, runs):
    begun(http, id="r")
    step = runs.step("plan")
    call = release_step(step, runs.jobs, waits_for="s3://away: no answer")
    assert runs.queue.run(call)
    waits = http.get("/v2/runs/r").json()["waiting_for"]
    assert (waits["step"], waits["reason"]) == ("plan", "s3://away: no answer")
    assert waits["since"].endswith("Z")
    http.post("/v2/runs/r/pause")
    assert http.get("/v2/runs/r").json()["waiting_for"] is None, "it waits for a word"
    http.post("/v2/runs/r/resume")
    runs.plan(1)
    assert "s3://away" not in str(http.get("/v2/runs/r").json()["waiting_for"])


def test_a_run_says_who_is_missing_that_would_do_it(http, runs, worker):
    def reason() -> str:
        return str((http.get("/v2/runs/r").json()["waiting_for"] or {}).get("reason"))

    begun(http, id="r")
    until(reason, lambda told: "`wherry worker runs` starts one" in told)
    first = http.get("/v2/runs").json()["runs"][0]
    assert first["waiting_for"]["step"] == "plan"
    begun(http, id="later")
    later = http.get("/v2/runs/later").json()
    assert later["waiting_for"]["since"] >= later["created_at"], "it did not wait before it was"
    assert http.post("/v2/runs/later/cancel").status_code == 200
    found = http.get("/v2/runs/r").json()["waiting_for"]
    assert found == first["waiting_for"], "since the first time, whoever else waits"
    runs.queue.run(beat("tester", {"seen_at_ms": time.time() * 1000}, runs.jobs))
    until(reason, lambda told: told == "None")
    runs.plan(1)
    until(reason, lambda told: "`wherry worker vision` starts one" in told)
    worker.beat("vision", state="draining", reason="drained by an operator")
    assert "`wherry undrain`" in reason()
    worker.beat("vision", state="ready")
    until(reason, lambda told: told == "None")
    http.post("/v2/runs/r/pause")
    assert reason() == "None"


def test_only_an_ended_run_is_forgotten(http, runs):
    begun(http, id="r")
    assert http.delete("/v2/runs/r").status_code == 409
    http.post("/v2/runs/r/cancel")
    assert http.delete("/v2/runs/r").status_code == 204
    for path in ("", "/shards", "/rows", "/rows/0/picture", "/output", "/events"):
        assert http.get(f"/v2/runs/r{path}").status_code == 404, path
    assert http.delete("/v2/runs/r").status_code == 404


def test_a_clone_asks_the_same_but_for_what_is_said(http, runs):
    begun(http, id="r", name="first", format="csv", parameters={"top_k": 1}, kept_s=600)
    answer = http.post("/v2/runs/r/clone", json={"parameters": {"top_k": 3}, "id": "r2"})
    assert answer.status_code == 201, answer.text
    clone = answer.json()
    assert (clone["id"], clone["cloned_from"], clone["format"]) == ("r2", "r", "csv")
    assert clone["parameters"] == {"top_k": 3}
    plain = http.post("/v2/runs/r/clone")
    assert plain.status_code == 201
    assert plain.json()["parameters"] == {"top_k": 1}
    assert http.post("/v2/runs/r/clone", json={"format": "yolo"}).status_code == 400


def test_a_document_tells_all_that_was_asked_and_a_clone_keeps_it(http, runs, monkeypatch):
    async def is_fine(guard: Outbound, url: str) -> None:
        """Any host may be called."""

    monkeypatch.setattr(Outbound, "webhook", lambda guard, url: str(url))
    monkeypatch.setattr(Outbound, "check_webhook", is_fine)
    asked = {
        "source": "/data/films",
        "format": "yolo",
        "model": "object-detection",
        "every": 0.5,
        "frames": None,
        "split": {"val": 0.1},
        "images": "copy",
        "media_prefix": "/data/",
        "overwrite": True,
        "shard_rows": 100,
        "max_errors": 3,
        "deadline_s": 3600.0,
        "kept_s": 600,
        "metadata": {"for": "a test"},
    }
    run = begun(http, **asked, webhook="https://hooks.test/secret?key=1")
    told = {name: run[name] for name in asked}
    assert told == asked
    assert run["webhook_host"] == "hooks.test"
    assert "secret" not in json.dumps(run)
    clone = http.post(f"/v2/runs/{run['id']}/clone").json()
    assert {name: clone[name] for name in asked} == asked
    assert clone["webhook_host"] == "hooks.test"
    other = http.post(f"/v2/runs/{run['id']}/clone", json={"webhook": "", "every": 2}).json()
    assert (other["webhook_host"], other["every"]) == (None, 2)


def test_no_field_of_what_may_be_asked_is_left_out_of_a_document(http, runs):
    """A clone keeps what nobody is told of."""
    run = begun(http, follow=True)
    as_followed = {"follow_every_s", "part_every_s", "follow_for_s"}
    assert RunAsked.model_fields.keys() - run.keys() == {"webhook", *as_followed}
    assert as_followed - {f"follow_{name}" for name in run["follow"]} == {"part_every_s"}
    elsewhere = {"id", "source", "model", "version", "task", "parameters"}  # of run_new.js
    known = set(re.findall(r"\w+", FORM.read_text()))
    assert RunAsked.model_fields.keys() - known - elsewhere == set(), "the form does not show it"


def test_a_long_poll_ends_with_a_change(http, runs):
    begun(http, id="r")
    timer = threading.Timer(0.3, lambda: runs.plan(3))
    timer.start()
    run = http.get("/v2/runs/r", params={"wait": 3}).json()
    timer.join()
    assert run["state"] in ("planning", "running")
    http.post("/v2/runs/r/cancel")
    assert http.get("/v2/runs/r", params={"wait": 3}).json()["state"] == "canceled"


def test_a_long_poll_of_a_run_that_is_held_or_paused_ends_at_once(http, runs, monkeypatch):
    """Nothing goes on there: a client that polls would hear of it only when the poll ends."""
    heard = []
    real = RunWatch.heard

    async def counted(watch, seconds):
        heard.append(seconds)
        return await real(watch, seconds)

    monkeypatch.setattr(RunWatch, "heard", counted)
    begun(http, id="r", sample=1)
    runs.plan(1, 1)
    runs.shard([answered(0, ("cat", 1.0))])
    assert http.get("/v2/runs/r", params={"wait": 3}).json()["held"]
    http.post("/v2/runs/r/resume")
    http.post("/v2/runs/r/pause")
    assert http.get("/v2/runs/r", params={"wait": 3}).json()["state"] == "paused"
    assert heard == []


def test_a_tenant_sees_its_own_runs(tenants, keyed_runs):
    acme, beta = tenants["acme"], tenants["beta"]
    run = begun(acme, id="r")
    assert run["tenant"] == "acme"
    other = begun(beta, id="r", name="beta's")
    assert other["id"] == "r"
    assert acme.get("/v2/runs/r").json()["name"] == ""
    assert [r["name"] for r in beta.get("/v2/runs").json()["runs"]] == ["beta's"]
    mine = begun(acme, id="mine")
    assert acme.get("/v2/runs/mine").status_code == 200
    for path in ("", "/shards", "/rows", "/output", "/events", "/compare?with=r"):
        assert beta.get(f"/v2/runs/mine{path}").status_code == 404, path
    for word in ("pause", "resume", "cancel", "retry", "clone"):
        assert beta.post(f"/v2/runs/mine/{word}").status_code == 404, word
    assert beta.delete("/v2/runs/mine").status_code == 404
    assert beta.get("/v2/runs", params={"after": "mine"}).status_code == 400
    seen = {r["id"] for r in tenants["admin"].get("/v2/runs").json()["runs"]}
    assert seen == {"acme:r", "beta:r", "acme:mine"}
    only = tenants["admin"].get("/v2/runs", params={"tenant": "beta"}).json()["runs"]
    assert [r["id"] for r in only] == ["beta:r"]
    assert tenants["admin"].get("/v2/runs/acme:mine").json()["created_at"] == mine["created_at"]


def test_scopes_hold_for_runs(tenants):
    assert tenants["reader"].post("/v2/runs", json=ASKED).status_code == 403
    assert tenants["sender"].get("/v2/runs").status_code == 403
    assert tenants[""].get("/v2/runs").status_code == 401
    assert tenants["sender"].get("/v2/formats").status_code == 200


def test_a_run_has_a_key_of_its_own_that_ends_with_it(tenants, keyed_runs):
    queue, jobs = keyed_runs.queue, keyed_runs.jobs
    before = set(queue.run(all_keys(jobs)))
    begun(tenants["acme"], id="r")
    [made] = set(queue.run(all_keys(jobs))) - before
    step = queue.run(take_step("tester", 60, jobs))
    assert step.token.startswith(f"wherry_{made}_")
    shown = tenants["acme"].get("/v2/runs/r").text + tenants["admin"].get("/v2/runs").text
    assert step.token not in shown
    tenants["acme"].post("/v2/runs/r/cancel")
    assert set(queue.run(all_keys(jobs))) == before
    tenants["acme"].post("/v2/runs/r/retry")
    [again] = set(queue.run(all_keys(jobs))) - before
    assert queue.run(take_step("tester", 60, jobs)).token.startswith(f"wherry_{again}_")
    tenants["acme"].post("/v2/runs/r/cancel")
    assert set(queue.run(all_keys(jobs))) == before


def test_the_key_of_an_operators_run_does_no_more_than_its_work(tenants, keyed_runs):
    """It lies in Redis as it is, and in the files of Redis: an admin's would open the fleet."""
    begun(tenants["admin"], id="r")
    step = keyed_runs.queue.run(take_step("tester", 60, keyed_runs.jobs))
    headers = {"Authorization": f"Bearer {step.token}"}
    until(lambda: tenants[""].get("/v2/caller", headers=headers).status_code == 200)
    told = tenants[""].get("/v2/caller", headers=headers).json()
    assert (told["tenant"], told["scopes"]) == (None, ["read", "submit"])
    for method, path in (("GET", "/v2/keys"), ("POST", "/v2/keys"), ("GET", "/v2/history")):
        assert tenants[""].request(method, path, headers=headers).status_code == 403
    assert tenants[""].get("/v2/runs/r", headers=headers).json()["state"] == "planning"
    begun(tenants["acme"], id="theirs")
    assert tenants[""].get("/v2/runs/acme:theirs", headers=headers).status_code == 404
    assert step.token not in repr(step)
    [listed] = [
        key for key in tenants["admin"].get("/v2/keys").json()["keys"] if key.get("run") == "r"
    ]
    assert (listed["tenant"], listed["scopes"]) == (None, ["submit", "read"])
    tenants["admin"].post("/v2/runs/r/cancel")


def test_formats_that_fit_a_task(http):
    every = http.get("/v2/formats").json()["formats"]
    assert {"name": "yolo", "title": "YOLO boxes", "suffix": "", "is_folder": True} in every
    fit = http.get("/v2/formats", params={"task": "object-detection"}).json()["formats"]
    names = [each["name"] for each in fit]
    assert names[0] == "jsonl"
    assert "coco-detection" in names
    assert "conll" not in names
    assert http.get("/v2/formats", params={"task": "nothing"}).status_code == 400
