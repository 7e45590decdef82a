"""What a run wrote, fetched: one file, many as a zip, another format that a worker makes."""

from __future__ import annotations

import io
import shutil
import subprocess
import zipfile
from urllib.parse import unquote

import pytest

from wherry.jobs import run_blobs
from wherry.jobs.run_records import RunError, RunExport, RunState
from wherry.jobs.run_steps import end_run, finish_export

from .run_books import answered

ASKED = {"source": "/data/photos", "model": "image-classification"}


def ended(http, runs, files, **fields):
    run = http.post("/v2/runs", json={**ASKED, "id": "r", **fields})
    assert run.status_code == 201, run.text
    runs.plan(1)
    runs.shard([answered(0, ("cat", 1.0))])
    runs.merge(files)


def test_one_file_comes_as_it_is(http, runs):
    ended(http, runs, {"annotations.jsonl": b'{"id": 1}\n'}, name="my cats/2")
    run = http.get("/v2/runs/r").json()
    assert run["state"] == "succeeded"
    assert run["output"]["files"] == [{"name": "annotations.jsonl", "bytes": 10}]
    answer = http.get(run["links"]["output"])
    assert answer.content == b'{"id": 1}\n'
    assert answer.headers["content-length"] == "10"
    assert "annotations.jsonl" in answer.headers["content-disposition"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_several_files_come_as_a_zip(http, runs, tmp_path):
    files = {"a/é.txt": b"x" * 100_000, "b.bin": bytes(range(256)), "empty": b""}
    ended(http, runs, files, name="my cats/2")
    answer = http.get("/v2/runs/r/output")
    assert answer.headers["content-type"] == "application/zip"
    assert "my-cats-2.zip" in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        found = {name: archive.read(name) for name in archive.namelist()}
    assert found == {f"my-cats-2/{name}": data for name, data in files.items()}
    assert http.get("/v2/runs/r/output").content == answer.content
    if shutil.which("unzip"):
        (tmp_path / "o.zip").write_bytes(answer.content)
        subprocess.run(["unzip", "-tq", str(tmp_path / "o.zip")], check=True, stdout=-3)


def test_a_file_over_several_parts_is_whole(http, runs, monkeypatch):
    monkeypatch.setattr(run_blobs, "PART_BYTES", 7)
    ended(http, runs, {"a.jsonl": b"0123456789" * 3})
    assert http.get("/v2/runs/r/output").content == b"0123456789" * 3


def test_an_export_is_asked_for_and_made_once(http, runs):
    ended(http, runs, {"annotations.jsonl": b"{}\n"})
    first = http.get("/v2/runs/r/output", params={"format": "csv"})
    assert (first.status_code, first.headers["retry-after"]) == (202, "1")
    assert first.json()["exports"] == {"csv": "making"}
    assert http.get("/v2/runs/r/output", params={"format": "csv"}).status_code == 202
    runs.export({"annotations.csv": b"id\n"})
    made = http.get("/v2/runs/r/output", params={"format": "csv"})
    assert (made.status_code, made.content) == (200, b"id\n")
    same = http.get("/v2/runs/r/output", params={"format": "jsonl"})
    assert same.content == b"{}\n"


def test_what_was_written_elsewhere_is_made_anew_in_any_format(http, runs):
    assert http.post("/v2/runs", json={**ASKED, "id": "r"}).status_code == 201
    runs.plan(1)
    runs.shard([answered(0, ("cat", 1.0))])
    runs.merge({"a.jsonl": b"{}\n"}, place="s3://bucket/a.jsonl")
    told = http.get("/v2/runs/r/output")
    assert (told.status_code, "s3://bucket/a.jsonl; ask for a format" in told.text) == (404, True)
    assert http.get("/v2/runs/r/output", params={"format": "jsonl"}).status_code == 202
    runs.export({"annotations.jsonl": b'{"id": 1}\n'})
    made = http.get("/v2/runs/r/output", params={"format": "jsonl"})
    assert (made.status_code, made.content) == (200, b'{"id": 1}\n')


def test_an_export_that_failed_says_so_and_is_tried_again_when_asked_for_again(http, runs):
    ended(http, runs, {"annotations.jsonl": b"{}\n"})
    csv = {"format": "csv"}
    assert http.get("/v2/runs/r/output", params=csv).status_code == 202
    made = RunExport(state="failed", error=RunError(error_type="invalid_request", message="no"))
    assert runs.queue.run(finish_export(runs.step("export/csv"), made, runs.jobs))
    assert http.get("/v2/runs/r").json()["exports"] == {"csv": "failed"}
    told = http.get("/v2/runs/r/output", params=csv)
    assert (told.status_code, told.json()["error"]) == (400, "no")
    assert http.get("/v2/runs/r/output", params=csv).status_code == 202
    runs.export({"annotations.csv": b"id\n"})
    assert http.get("/v2/runs/r/output", params=csv).content == b"id\n"


@pytest.mark.parametrize("name", ["coco-detection", "nothing", "../x"])
def test_a_format_that_does_not_fit_is_refused(http, runs, name):
    ended(http, runs, {"annotations.jsonl": b"{}\n"})
    answer = http.get("/v2/runs/r/output", params={"format": name})
    assert answer.status_code == 400
    assert "format" in answer.json()["error"]


def test_a_run_without_an_output_says_so(http, runs):
    http.post("/v2/runs", json={**ASKED, "id": "r"})
    assert http.get("/v2/runs/r/output").status_code == 409
    http.post("/v2/runs/r/cancel")
    answer = http.get("/v2/runs/r/output")
    assert answer.status_code == 404
    assert "canceled" in answer.json()["error"]


def test_a_run_that_ended_otherwise_is_exported_once_all_is_answered(http, runs):
    http.post("/v2/runs", json={**ASKED, "id": "r"})
    runs.plan(1)
    runs.shard([answered(0, ("cat", 1.0))])
    step = runs.step("merge")
    error = RunError(error_type="invalid_request", message="the disk is full")
    assert runs.queue.run(end_run(step, RunState.FAILED, runs.jobs, error=error))
    answer = http.get("/v2/runs/r/output")
    assert answer.status_code == 404
    assert "ask for a format" in answer.json()["error"]
    for name in ("jsonl", "csv"):
        assert http.get("/v2/runs/r/output", params={"format": name}).status_code == 202
        runs.export({f"annotations.{name}": name.encode()})
        assert http.get("/v2/runs/r/output", params={"format": name}).content == name.encode()
    assert http.get("/v2/runs/r").json()["state"] == "failed"


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("../../etc/cats", "etc-cats"),
        ("..", "r"),
        ("-rf", "rf"),
        ("a\0b\x1b[0m\n", "a-b-0m"),
        ("猫" * 200, "猫" * 60),
    ],
)
def test_whatever_a_run_is_called_its_files_have_names_that_any_disk_takes(http, runs, name, stem):
    ended(http, runs, {"a.jsonl": b"1", "a.jsonl.report.html": b"page"}, name=name)
    for path, end in (
        ("output", ".zip"),
        ("report", "-report.html"),
        ("pick?format=jsonl", "-picks.jsonl"),
    ):
        answer = http.get(f"/v2/runs/r/{path}")
        assert answer.status_code == 200, answer.text
        assert unquote(answer.headers["content-disposition"]).endswith(f"UTF-8''{stem}{end}")
