from __future__ import annotations

import pytest

from wherry.jobs.facts import tell_facts
from wherry.jobs.fleet import heartbeat
from wherry.tasks.registry import task_names

from ..conftest import WORKER


def test_metadata_says_what_a_model_takes_and_gives(http):
    body = http.get("/v2/models/image-classification").json()
    assert body["versions"] == ["1"]
    assert body["platform"] == "wherry_stub"
    [image] = body["inputs"]
    assert (image["name"], image["datatype"], image["shape"]) == ("image", "BYTES", [-1])
    assert image["parameters"]["content_type"] == "base64"
    assert [output["name"] for output in body["outputs"]] == ["label", "score"]
    parameters = body["parameters"]
    assert parameters["task"] == "image-classification"
    assert parameters["max_rows_per_job"] == 64
    assert parameters["request_parameters"]["top_k"]["minimum"] == 1


def test_versions(http):
    assert http.get("/v2/models/embedding").json()["versions"] == ["1", "2"]
    assert http.get("/v2/models/embedding/versions/1").status_code == 200
    for path in ("nope", "embedding/versions/3", "nope/ready", "embedding/versions/3/ready"):
        answer = http.get(f"/v2/models/{path}")
        assert (answer.status_code, answer.json()["error_type"]) == (404, "model_not_found")


def test_a_model_is_ready_when_a_worker_serves_it(http, worker):
    away = http.get("/v2/models/embedding/ready")
    assert (away.status_code, away.headers["retry-after"]) == (503, "1")
    worker.beat("text", models=("embedding",))
    for path in ("embedding", "embedding/versions/1"):
        answer = http.get(f"/v2/models/{path}/ready")
        assert (answer.status_code, answer.json()) == (200, {"name": "embedding", "ready": True})
    assert http.get("/v2/models/object-detection/ready").json()["ready"] is False


def test_an_unloaded_model_takes_no_jobs(http, worker, texts):
    worker.beat("text", models=("embedding",))
    assert http.post("/v2/repository/models/embedding/unload").status_code == 200
    assert http.get("/v2/models/embedding/ready").json()["reason"] == "unloaded"
    answer = http.post("/v2/models/embedding/jobs", json=texts("a"))
    assert (answer.status_code, answer.json()["error_type"]) == (503, "model_not_ready")
    assert "retry-after" in answer.headers
    assert http.post("/v2/repository/models/embedding/load", json={}).content == b""
    assert http.get("/v2/models/embedding/ready").status_code == 200
    assert http.post("/v2/repository/models/nope/load").status_code == 404
    assert http.post("/v2/repository/models/embedding/load", content=b"[").status_code == 400


def test_the_index_lists_states(http, worker):
    worker.beat("text", models=("embedding",))
    entries = http.post("/v2/repository/index").json()
    states = {(e["name"], e["version"]): e["state"] for e in entries}
    assert states.pop(("embedding", "1")) == states.pop(("embedding", "2")) == "READY"
    assert set(states.values()) == {"UNAVAILABLE"}
    assert entries[0]["reason"]
    assert {e["task"] for e in entries} == set(task_names())
    assert http.post("/v2/repository/index", content=b"[").status_code == 400
    ready = http.post("/v2/repository/index", json={"ready": True}).json()
    assert [e["version"] for e in ready] == ["1", "2"]


def test_the_index_has_what_a_worker_notes_of_a_model(http, worker):
    worker.beat("text", models=("embedding",), notes={"embedding:2": "each row by itself"})
    entries = http.post("/v2/repository/index").json()
    notes = {(e["name"], e["version"]): e["note"] for e in entries if "note" in e}
    assert notes == {("embedding", "2"): "each row by itself"}


def test_what_a_model_turned_out_to_be_is_told(http, worker):
    facts = {
        "bytes": 400,
        "parameters": 100,
        "dtype": "float32",
        "labels": ["a", "b"],
        "revision": "",
        "runtime": "torch",
        "batching": "padded",
    }
    assert "dtype" not in http.get("/v2/models/embedding").json()["parameters"]
    worker.queue.run(tell_facts("embedding/2", facts, worker.jobs))
    worker.queue.run(heartbeat(WORKER, {"model_bytes": {"embedding/2": 420}}, worker.jobs))

    http.get("/v2/health/ready")  # who is told that it is ready may ask next what it serves
    seen = http.get("/v2/models/embedding").json()["parameters"]
    assert {name: seen[name] for name in facts} == facts
    index = http.post("/v2/repository/index").json()
    [entry] = [e for e in index if (e["name"], e["version"]) == ("embedding", "2")]
    assert (entry["labels"], entry["bytes"], entry["parameters"]) == (2, 420, 100)
    [older] = [e for e in index if (e["name"], e["version"]) == ("embedding", "1")]
    assert "bytes" not in older


@pytest.mark.parametrize("path", ["/v2/models/embedding/stats", "/v2/models/stats"])
def test_stats_count(http, worker, texts, path):
    http.post("/v2/models/embedding/jobs", json=texts("a"))
    worker.serve()
    body = http.get(path).json()
    [stats] = [s for s in body["model_stats"] if (s["name"], s["version"]) == ("embedding", "2")]
    assert stats["inference_stats"]["success"]["count"] == 1
    assert stats["last_inference"] > 0


@pytest.mark.parametrize(
    ("path", "versions"),
    [
        ("embedding/versions/1/stats", ["1"]),
        ("embedding/stats", ["1", "2"]),
        ("stats", [v for name in task_names() for v in ("12" if name == "embedding" else "1")]),
    ],
)
def test_stats_without_a_version_are_those_of_all(http, path, versions):
    stats = http.get(f"/v2/models/{path}").json()["model_stats"]
    assert [entry["version"] for entry in stats] == versions


def test_stats_have_tritons_shape(http):
    [stats] = http.get("/v2/models/embedding/versions/1/stats").json()["model_stats"]
    for name in ("last_inference", "inference_count", "execution_count"):
        assert stats[name] == 0
    assert set(stats["inference_stats"]) == {
        "success",
        "fail",
        "queue",
        "compute_input",
        "compute_infer",
        "compute_output",
        "cache_hit",
        "cache_miss",
    }
    assert all(set(entry) == {"count", "ns"} for entry in stats["inference_stats"].values())
    assert stats["batch_stats"] == []


def test_the_index_says_how_a_model_stands_in_a_word(http, worker):
    def stands() -> dict[str, str]:
        entries = http.post("/v2/repository/index").json()
        return {f"{e['name']}/{e['version']}": e["status"] for e in entries}

    assert set(stands().values()) == {"unserved"}
    served = {"models": ["embedding"], "served": ["embedding/1", "embedding/2"]}
    told: dict[str, object] = {
        "families": ["text"],
        "asleep": ["embedding/2"],
        "device": "cuda:1",
        **served,
    }
    worker.queue.run(heartbeat(WORKER, told, worker.jobs))
    found = stands()
    assert (found["embedding/1"], found["embedding/2"]) == ("ready", "cold")
    assert (found["ranking/1"], found["object-detection/1"]) == ("loading", "unserved")
    entries = http.post("/v2/repository/index").json()
    assert {tuple(e["devices"]) for e in entries if e["name"] == "embedding"} == {("cuda:1",)}
    http.post("/v2/repository/models/embedding/unload", json={})
    assert stands()["embedding/1"] == "unloaded"
