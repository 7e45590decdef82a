"""models.toml read again by an API: what requests may name then, and what each fault says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from wherry.api.settings import ApiSettings
from wherry.jobs import JobsSettings
from wherry.jobs.failed import ALL, ask_load
from wherry.jobs.fleet import heartbeat, view
from wherry.jobs.proof import shown

from ...support.models import model
from ...support.waiting import until
from ..conftest import WORKER, Server, Worker

GOOD = model("good", "embedding")
NEW = model("new", "embedding")


class Place:
    """An API of its own, with a models.toml that tests write, and a worker that they play."""

    def __init__(self, url: str, file: Path, worker: Worker, settings: ApiSettings) -> None:
        self.settings = settings
        self.http = httpx.Client(base_url=url, timeout=10)
        self.file, self._worker = file, worker

    def write(self, text: str) -> None:
        self.file.write_text(text)

    def post(self, path: str) -> tuple[int, Any]:
        answer = self.http.post(f"/v2/repository/{path}")
        return answer.status_code, answer.json() if answer.content else ""

    def versions(self, name: str) -> list[str]:
        versions: list[str] = self.http.get(f"/v2/models/{name}").json().get("versions", [])
        return versions

    def beat(self, *served: str, **info: object) -> None:
        names = [model_id.partition("/")[0] for model_id in served]
        heeded = {ALL: 10_000, "good": 10_000}
        told = {"models": names, "served": list(served), "load_heeded": heeded, **info}
        self._worker.queue.run(heartbeat(WORKER, told, self._worker.jobs))

    def ask(self) -> None:
        self._worker.queue.run(ask_load(ALL, self._worker.jobs))

    def asked(self, name: str) -> int:
        return self._worker.queue.run(view(self._worker.jobs)).load_requests.get(name, 0)

    def told(self) -> list[dict[str, str]]:
        return [
            dict(tasks) for tasks in self._worker.queue.run(shown(self._worker.jobs)).apis.values()
        ]


@pytest.fixture
def jobs_settings(jobs_settings: JobsSettings) -> JobsSettings:
    """A fleet of these tests' own: the session's API would tell of its models beside."""
    return jobs_settings.model_copy(update={"key_prefix": "live"})


@pytest.fixture
def place(
    api_settings: ApiSettings, jobs_settings: JobsSettings, tmp_path: Path, worker: Worker
) -> Iterator[Place]:
    file = tmp_path / "models.toml"
    file.write_text(GOOD)
    settings = api_settings.model_copy(update={"models": file})
    with Server(settings, jobs_settings) as url:
        place = Place(url, file, worker, settings)
        yield place
        place.http.close()


def test_a_reload_says_what_it_changed(place: Place) -> None:
    place.write(NEW + model("good", "embedding", max_batch_size=3) + model("chat"))
    status, told = place.post("reload")
    assert status == 200
    assert told == {
        "added": ["new/1", "chat/1"],
        "changed": ["good/1"],
        "removed": [],
        "failed": {},
        "workers_at_fault": {},
        "unserved": {"text": ["new/1", "good/1", "chat/1"]},
        "done": True,
    }
    assert place.asked(ALL) == 1
    assert place.http.get("/v2/models/good").json()["parameters"]["max_batch_size"] == 3
    place.write(NEW)
    assert place.post("reload")[1]["removed"] == ["good/1", "chat/1"]
    gone = place.http.get("/v2/models/good")
    assert (gone.status_code, gone.json()["error_type"]) == (404, "model_not_found")
    assert place.told() == [{"new/1": "embedding"}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[models", "models.toml: not TOML"),
        (GOOD + NEW.replace("backend", "backand"), "model 'new': backand: no such field"),
        (NEW + model("good", "chat"), "model 'good' version '1' did embedding and would do chat"),
    ],
)
def test_a_fault_changes_nothing_and_is_named(place: Place, text: str, said: str) -> None:
    place.write(text)
    for path in ("reload", "models/good/load"):
        status, told = place.post(path)
        assert (status, told["error_type"]) == (409, "conflict")
        assert said in told["error"]
    assert place.versions("good") == ["1"]
    assert place.versions("new") == []


def test_what_another_process_was_asked_is_heeded(place: Place) -> None:
    place.write(GOOD + NEW)
    place.ask()
    until(lambda: place.versions("new"))


def test_a_load_takes_one_model_alone(place: Place) -> None:
    place.write(NEW + model("good", "embedding", max_batch_size=3))
    assert place.post("models/new/load") == (200, "")
    assert place.http.get("/v2/models/good").json()["parameters"]["max_batch_size"] == 32
    assert place.post("models/nope/load")[0] == 404
    assert [entry["name"] for entry in place.post("index")[1]] == ["new", "good"]


def test_a_new_version_is_meant_once_it_is_warm(place: Place) -> None:
    place.beat("good/1")
    place.write(model("good", "embedding", version="2"))
    assert place.post("reload")[1]["added"] == ["good/2"]
    assert place.versions("good") == ["2", "1"]  # the last is meant
    place.beat("good/1", "good/2", asleep=["good/2"])
    assert place.versions("good") == ["2", "1"]
    place.beat("good/1", "good/2")
    until(lambda: place.versions("good") == ["2"])
    until(lambda: place.told() == [{"good/2": "embedding"}])


def test_a_new_version_is_meant_at_once_where_none_is_warm(place: Place) -> None:
    place.write(model("good", "embedding", version="2"))
    place.post("reload")
    assert place.versions("good") == ["2"]


def test_a_reload_names_what_a_worker_could_not_load(place: Place) -> None:
    place.beat("good/1", outdated={"good/1": "no folder"}, models_fault="models.toml: not TOML")
    told = place.post("reload")[1]
    assert told["failed"] == {"good/1": "no folder"}
    assert told["workers_at_fault"] == {WORKER: "models.toml: not TOML"}
    status, error = place.post("models/good/load")
    assert (status, error["error_type"]) == (503, "model_failed")


def test_a_load_brings_new_versions(place: Place) -> None:
    source = place.file.parent / "good"
    (source / "1").mkdir(parents=True)
    policy = "version_policy = { latest = { num_versions = 2 } }\n"
    place.write(model("good", "embedding", source="good") + policy)
    place.post("models/good/load")
    (source / "2").mkdir()
    assert place.post("models/good/load") == (200, "")
    assert place.versions("good") == ["1", "2"]
    (source / "3").mkdir()
    place.beat("good/1", "good/2")
    place.post("reload")
    assert place.versions("good") == ["3", "2"]  # until 3 is warm


def load(place: Place, **config: object) -> tuple[int, Any]:
    body = {"parameters": {"config": json.dumps(config)}} if config else {}
    answer = place.http.post("/v2/repository/models/good/load", json=body)
    return answer.status_code, answer.json() if answer.content else ""


def most(place: Place) -> int:
    size: int = place.http.get("/v2/models/good").json()["parameters"]["max_batch_size"]
    return size


def test_a_load_says_otherwise_than_models_toml_where_the_operator_allows_it(
    place: Place,
) -> None:
    status, told = load(place, max_batch_size=3)
    assert (status, told["error_type"]) == (403, "forbidden")
    assert "WHERRY_LOAD_PARAMETERS" in told["error"]
    place.settings.load_parameters = True
    for config, said in (
        ({"max_batch_size": 0}, "config: max_batch_size: Input should be"),
        ({"source": "/etc"}, "config: source: Extra inputs are not permitted"),
    ):
        status, told = load(place, **config)
        assert status == 400
        assert said in told["error"]
    files = {"parameters": {"file:1/model.onnx": "aGk="}}
    refused = place.http.post("/v2/repository/models/good/load", json=files)
    assert "a load takes config alone" in refused.json()["error"]
    assert load(place, max_batch_size=3) == (200, "")
    assert most(place) == 3
    place.post("reload")
    assert most(place) == 3  # until it is loaded without
    assert load(place) == (200, "")
    assert most(place) == 32


def test_a_folder_of_models_is_watched(
    api_settings: ApiSettings, jobs_settings: JobsSettings, tmp_path: Path, worker: Worker
) -> None:
    def put(name: str, version: str) -> None:
        (tmp_path / name / version).mkdir(parents=True)
        (tmp_path / name / "model.toml").write_text('task = "embedding"\nbackend = "stub"\n')
        (tmp_path / name / version / "weights").write_text(version)

    put("good", "1")
    settings = api_settings.model_copy(update={"models": tmp_path, "models_poll_s": 0.1})
    with Server(settings, jobs_settings) as url:
        place = Place(url, tmp_path, worker, settings)
        assert place.versions("good") == ["1"]
        put("good", "2")
        put("new", "1")
        until(lambda: place.versions("new") and place.versions("good") == ["2"])
        assert place.asked(ALL) >= 1  # so the workers read it too
        place.http.close()
