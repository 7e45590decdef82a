from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wherry.api.surfaces.instill.trigger import FORMS
from wherry.tasks.registry import get_task
from wherry.tasks.samples import PNG

from . import spec
from .entries import MODELS, entries, failing, refused


@pytest.mark.parametrize("task", FORMS)
def test_a_model_of_each_task_answers_as_the_spec_says(http, serving, task: str) -> None:
    answer = http.post(f"{MODELS}/{task}/trigger", json=entries(task, {}, {}))
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["task"] == get_task(task).aliases.instill
    assert len(body["taskOutputs"]) == 2
    for output in body["taskOutputs"]:
        named = httpx.Response(200, json=output).text.replace("bounding_box", "bounding-box")
        found = httpx.Response(200, text=named).json()
        jsonschema.validate(found, spec.OUTPUTS[body["task"]])


@pytest.mark.parametrize("owner", ["namespaces/me", "users/me", "organizations/us"])
@pytest.mark.parametrize("version", ["", "/versions/1", "/versions/2", "/versions/latest"])
def test_older_paths_and_versions_lead_to_the_same_model(http, serving, owner, version) -> None:
    path = f"/v1alpha/{owner}/models/embedding{version}/trigger"
    answer = http.post(path, json=entries("embedding"))
    assert (answer.status_code, answer.json()["task"]) == (200, "TASK_EMBEDDING")


def test_a_hub_id_is_namespace_and_model(http, serving) -> None:
    source = get_task("object-detection").default_model
    namespace, model = source.split("/")
    path = f"/v1alpha/namespaces/{namespace}/models/{model}/trigger"
    assert http.post(path, json=entries("object-detection")).status_code == 200


def test_unknown_models_and_versions_are_not_found(http) -> None:
    body = entries("chat")
    assert "unknown model 'x'" in refused(http.post(f"{MODELS}/x/trigger", json=body), 404, 5)
    answer = http.post(f"{MODELS}/chat/versions/9/trigger", json=body)
    assert "no version '9'" in refused(answer, 404, 5)


def test_a_model_without_a_form_names_those_that_have_one(http) -> None:
    answer = http.post(f"{MODELS}/summarization/trigger", json=entries("chat"))
    message = refused(answer, 400, 3)
    assert "of task summarization" in message
    assert "object-detection" in message


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"taskInputs": {}}', b'{"a": 1}', b"\xff"])
def test_a_bad_body_is_refused(http, content: bytes) -> None:
    refused(http.post(f"{MODELS}/chat/trigger", content=content), 400, 3)


def test_a_large_body_is_refused(http) -> None:
    body = {"taskInputs": [{"data": {"prompt": "a" * 1_000_001}}]}
    refused(http.post(f"{MODELS}/text-generation/trigger", json=body), 413, 3)


def test_entries_that_do_not_agree_run_as_jobs_of_their_own(http, serving) -> None:
    body = entries("chat", {"seed": 1}, {"seed": 2}, {"seed": 1}, {"n": 3})
    outputs = http.post(f"{MODELS}/chat/trigger", json=body).json()["taskOutputs"]
    assert [len(output["data"]["choices"]) for output in outputs] == [1, 1, 1, 3]


def test_one_bad_row_fails_the_trigger_and_is_named(http, worker) -> None:
    body = entries("object-detection", {}, {}, {})
    with failing(worker, "row 2: no image"):
        answer = http.post(f"{MODELS}/object-detection/trigger", json=body)
    assert refused(answer, 400, 3) == "taskInputs[2]: no image"


def test_one_bad_job_fails_the_trigger_and_is_named(http, worker) -> None:
    body = entries("chat", {"seed": 1}, {"seed": 2})
    with failing(worker, "too long", "too long"):
        answer = http.post(f"{MODELS}/chat/trigger", json=body)
    assert refused(answer, 400, 3).removeprefix("taskInputs[").endswith("]: too long")


def test_no_answer_in_time_names_the_job(http, worker) -> None:
    message = refused(http.post(f"{MODELS}/chat/trigger", json=entries("chat")), 504, 4)
    assert message.startswith("no answer yet; poll /v2/jobs/")


def test_models_are_listed_with_their_tasks(http) -> None:
    body = http.get(MODELS).json()
    assert body["totalSize"] == len(body["models"]) == len(FORMS)
    shown = {model["id"]: model for model in body["models"]}
    assert shown["embedding"]["task"] == "TASK_EMBEDDING"
    assert shown["embedding"]["versions"] == ["1", "2"]
    assert shown["embedding"]["name"] == "namespaces/me/models/embedding"
    assert http.get(f"{MODELS}/embedding").json() == {"model": shown["embedding"]}
    assert len(http.get("/v1alpha/models").json()["models"]) == len(FORMS)
    refused(http.get(f"{MODELS}/x"), 404, 5)
    refused(http.get(f"{MODELS}/ranking"), 400, 3)


def test_the_pages_code_runs(http, serving, monkeypatch, tmp_path, capsys) -> None:
    page = Path(__file__).parents[4] / "docs" / "instill.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    (tmp_path / "boat.jpg").write_bytes(PNG)
    monkeypatch.chdir(tmp_path)
    exec(code.replace("http://127.0.0.1:8750", str(http.base_url).rstrip("/")), {})
    assert "TASK_DETECTION" in capsys.readouterr().out


def test_it_says_whether_it_serves(http, worker) -> None:
    def status(path: str) -> str:
        answer = http.get(f"/v1alpha/{path}")
        assert answer.status_code == 200
        told: str = answer.json()["healthCheckResponse"]["status"]
        return told

    for path in ("__liveness", "health/model"):
        assert status(path) == "SERVING_STATUS_SERVING"
    for path in ("__readiness", "ready/model"):
        assert status(path) == "SERVING_STATUS_NOT_SERVING"
    worker.beat("vision", "text", "multimodal", "audio")
    assert status("__readiness") == "SERVING_STATUS_SERVING"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    body=st.recursive(
        st.none() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(["taskInputs", "data", "parameter", "messages"]), inner, max_size=2
            )
        ),
    )
)
def test_no_body_breaks_the_server(http, body: Any) -> None:
    refused(http.post(f"{MODELS}/chat/trigger", json=body), 400, 3)
    refused(http.post(f"{MODELS}/chat/trigger-async", json={"taskInputs": [body]}), 400, 3)
