"""A model that no worker can load: 503 with its reason on every surface, and what a load does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from wherry.api.settings import ApiSettings
from wherry.jobs import JobsSettings
from wherry.jobs.failed import set_failed
from wherry.jobs.fleet import heartbeat, view

from ..batch_calls import create, ended, line, lines_of
from ..conftest import WORKER, Server, Worker

REASON = "source: there is no folder /weights"
TOLD = f"model 'embedding' could not be loaded: {REASON}"
FAILED = {f"embedding/{version}": REASON for version in ("1", "2")}


class Failed:
    """What the workers of the fleet would tell; goes on telling it as keepers do."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self.info: dict[str, Any] = {"families": ["text"], "models": [], "failed": FAILED}
        self.tell()

    def tell(self, **info: Any) -> None:
        self.info |= info
        self._worker.queue.run(heartbeat(WORKER, self.info, self._worker.jobs))
        self._worker.queue.run(set_failed(self.info["failed"], self._worker.jobs))

    @property
    def asked(self) -> int:
        return self._worker.queue.run(view(self._worker.jobs)).load_requests.get("embedding", 0)


@pytest.fixture
def failed(worker: Worker) -> Failed:
    return Failed(worker)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v2/models/embedding/infer", None),
        ("/v2/models/embedding/versions/1/infer", None),
        ("/v2/models/embedding/jobs", None),
        ("/v1/embeddings", {"model": "embedding", "input": "a"}),
        ("/models/embedding", {"inputs": "a"}),
    ],
)
def test_its_jobs_are_refused_with_the_reason(
    http: httpx.Client, failed: Failed, texts: Any, path: str, body: Any
) -> None:
    answer = http.post(path, json=body or texts("a"))
    assert answer.status_code == 503
    assert TOLD in answer.text
    assert "retry-after" not in answer.headers  # a retry is no use
    if path.startswith("/v2"):
        assert answer.json()["error_type"] == "model_failed"


def test_others_are_served(http: httpx.Client, failed: Failed, serving: Worker, texts: Any) -> None:
    sent = http.post("/v2/models/sentence-similarity/infer", json={"inputs": []})
    assert sent.status_code == 400
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}
    sent = http.post("/v2/models/text-classification/infer", json={"inputs": [tensor]})
    assert sent.status_code == 200


def test_it_is_shown_as_failed(http: httpx.Client, failed: Failed) -> None:
    ready = http.get("/v2/models/embedding/ready")
    assert (ready.status_code, ready.json()["reason"]) == (503, TOLD)
    assert "retry-after" not in ready.headers
    index = http.post("/v2/repository/index").json()
    shown = {(e["name"], e["state"], e["reason"]) for e in index if e["name"] == "embedding"}
    assert shown == {("embedding", "UNAVAILABLE", TOLD)}
    assert http.get("/v2/queues").json()["workers"][0]["failed"] == FAILED


def test_a_batch_ends_its_lines_with_the_reason(http: httpx.Client, failed: Failed) -> None:
    body = {"model": "embedding", "input": "a"}
    for endpoint, request in (("/v2/models/embedding/infer", None), ("/v1/embeddings", body)):
        batch = ended(
            http, create(http, f"{_json(line(1, endpoint, request))}\n".encode(), endpoint)
        )
        (answer,) = lines_of(http, batch["error_file_id"])
        assert answer["response"]["status_code"] == 503
        assert TOLD in str(answer["response"]["body"])


def _json(document: object) -> str:
    return httpx.Request("POST", "http://x", json=document).content.decode()


def test_the_server_is_ready_and_names_it(http: httpx.Client, worker: Worker) -> None:
    families = ["audio", "multimodal", "text", "vision"]
    told = Failed(worker)
    told.tell(families=families, state="loading")
    assert http.get("/v2/health/ready").status_code == 503  # nobody has loaded its models yet
    told.tell(state="ready")
    ready = http.get("/v2/health/ready")
    assert (ready.status_code, ready.json()) == (
        200,
        {"ready": True, "failed_models": ["embedding"]},
    )


def test_a_strict_server_is_not_ready(
    api_settings: ApiSettings, jobs_settings: JobsSettings, worker: Worker
) -> None:
    Failed(worker).tell(families=["audio", "multimodal", "text", "vision"])
    strict = api_settings.model_copy(update={"strict_models": True})
    with Server(strict, jobs_settings) as url:
        ready = httpx.get(f"{url}/v2/health/ready", timeout=10)
    assert ready.status_code == 503
    assert ready.json()["reasons"] == ["model 'embedding' could not be loaded"]


@pytest.fixture
def loading(http: httpx.Client, failed: Failed) -> Iterator[list[httpx.Response]]:
    """A load that has been asked for; its answer, once the test has told how it went."""
    answers: list[httpx.Response] = []

    def ask() -> None:
        answers.append(http.post("/v2/repository/models/embedding/load"))

    thread = threading.Thread(target=ask)
    thread.start()
    while not failed.asked:
        assert thread.is_alive()
    failed.tell(failed={}, loading=list(FAILED))
    yield answers
    thread.join(timeout=10)


def test_a_load_waits_until_it_went_well(
    failed: Failed, loading: list[httpx.Response], http: httpx.Client
) -> None:
    failed.tell(loading=[], served=list(FAILED), models=["embedding"])
    assert _answer(loading).status_code == 200
    assert http.get("/v2/models/embedding/ready").status_code == 200


def test_a_load_that_fails_again_says_why(failed: Failed, loading: list[httpx.Response]) -> None:
    failed.tell(loading=[], failed=FAILED, load_heeded={"embedding": failed.asked})
    answer = _answer(loading)
    assert (answer.status_code, answer.json()["error_type"]) == (503, "model_failed")
    assert answer.json()["error"] == TOLD


def _answer(answers: list[httpx.Response]) -> httpx.Response:
    for _ in range(1000):
        if answers:
            return answers[0]
        threading.Event().wait(0.01)
    raise AssertionError("no answer")
