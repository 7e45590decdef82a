"""Tasks told over HTTP: enough to make a form of each, and to send its example."""

from __future__ import annotations

from importlib.metadata import EntryPoint

from wherry.tasks import entry_points, registry
from wherry.tasks.registry import get_task, task_names


def test_every_task_is_told_as_it_declares_itself(http):
    listed = http.get("/v2/tasks").json()["tasks"]
    assert [entry["name"] for entry in listed] == list(task_names())
    for entry in listed:
        task = get_task(entry["name"])
        assert entry["widget"]["controls"] == list(task.widget.controls)
        assert [tensor["name"] for tensor in entry["inputs"]] == [s.name for s in task.inputs]
        assert all(tensor["description"] for tensor in entry["inputs"])
        assert [p["name"] for p in entry["parameters"]] == [p.name for p in task.parameters]


def test_a_tasks_example_is_taken_as_it_stands(http):
    for name in ("mask-generation", "audio-classification", "chat", "video-classification"):
        told = http.get(f"/v2/tasks/{name}").json()
        answer = http.post(f"/v2/models/{name}/jobs", json=told["example"]["request"])
        assert answer.status_code == 202, answer.text
        outputs = {tensor["name"] for tensor in told["example"]["response"]["outputs"]}
        assert outputs <= {tensor["name"] for tensor in told["outputs"]}


def test_a_parameters_forms_say_what_its_value_may_be(http):
    told = http.get("/v2/tasks/text-classification").json()
    by_name = {parameter["name"]: parameter for parameter in told["parameters"]}
    assert by_name["top_k"]["forms"] == [{"type": "integer", "minimum": 1}, {"type": "null"}]
    assert by_name["truncation_direction"]["forms"] == [
        {"type": "string", "enum": ["right", "left"]}
    ]
    assert by_name["truncate"]["default"] is True


def test_an_unknown_task_is_not_found(http):
    answer = http.get("/v2/tasks/origami")
    assert (answer.status_code, answer.json()["error_type"]) == (404, "not_found")
    assert "origami" in answer.json()["error"]


def test_a_package_that_cannot_be_loaded_hides_no_other(http, monkeypatch):
    broken = EntryPoint("origami", "no_such_module:TASK", "wherry.tasks")
    monkeypatch.setattr(entry_points, "installed", lambda _: {"origami": broken})
    registry.task_names.cache_clear()
    try:
        listed = {entry["name"]: entry for entry in http.get("/v2/tasks").json()["tasks"]}
    finally:
        registry.task_names.cache_clear()
    assert "no_such_module" in listed["origami"]["error"]
    assert "error" not in listed["embedding"]
