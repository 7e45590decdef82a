from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from typer import Typer
from typer.testing import CliRunner

from wherry.ops.task_card import card
from wherry.ops.task_commands import register
from wherry.tasks.card import range_of, type_of
from wherry.tasks.registry import get_task, task_names


def call(*arguments: str, columns: str | None = "240") -> str:
    app = Typer()
    app.callback()(lambda: None)
    register(app)
    done = CliRunner().invoke(app, list(arguments), env={"COLUMNS": columns})
    assert done.exit_code == 0, done.output
    return done.output


def test_json_has_every_task_with_all_that_it_declares() -> None:
    cards: list[dict[str, Any]] = json.loads(call("tasks", "--json"))
    assert [entry["name"] for entry in cards] == list(task_names())
    for entry in cards:
        task = get_task(entry["name"])
        assert entry["family"] == task.family
        assert "stub" in entry["backends"]
        assert entry["default_model"] == task.default_model
        assert [tensor["name"] for tensor in entry["inputs"]] == [s.name for s in task.inputs]
        assert [tensor["name"] for tensor in entry["outputs"]] == [s.name for s in task.outputs]
        assert {p["name"] for p in entry["parameters"]} == set(task.input.parameter_names())


@pytest.mark.parametrize("columns", ["80", None])
def test_names_and_types_are_whole_in_a_terminal_and_in_a_pipe(columns: str | None) -> None:
    shown = call("tasks", columns=columns)
    words = set(shown.split())
    for name in task_names():
        entry = card(get_task(name))
        assert {name, entry["family"], entry["default_model"]} <= words
        for tensor in [*entry["inputs"], *entry["outputs"]]:
            assert {tensor["name"], tensor["datatype"]} <= words
        for parameter in entry["parameters"]:
            assert {f"{parameter['name']}:", *parameter["type"].split()} <= words
        assert set(entry["backends"]) <= {word.rstrip(",") for word in words}
    if columns:
        assert max(map(len, shown.splitlines())) <= int(columns)


def test_the_list_shows_every_task_and_its_parameters() -> None:
    shown = call("tasks")
    for name in task_names():
        assert name in shown
        for parameter in get_task(name).input.parameter_names():
            assert f"{parameter}: " in shown


def test_tasks_are_found_by_the_names_that_others_use() -> None:
    (entry,) = json.loads(call("tasks", "TASK_EMBEDDING", "--json"))
    assert entry["name"] == "embedding"


def test_an_unknown_task_is_a_bad_parameter() -> None:
    app = Typer()
    app.callback()(lambda: None)
    register(app)
    done = CliRunner().invoke(app, ["tasks", "origami"])
    assert done.exit_code == 2
    assert "origami" in done.output


def test_types_and_ranges_are_told_in_words() -> None:
    [threshold] = [p for p in get_task("object-detection").parameters if p.name == "threshold"]
    assert type_of(get_task("object-detection"), threshold) == "number"
    assert range_of(get_task("object-detection"), threshold) == "0 to 1"
    [seed] = [p for p in get_task("text-to-audio").parameters if p.name == "seed"]
    assert range_of(get_task("text-to-audio"), seed) == "0 to 2^63-1"
    for name in task_names():
        for parameter in card(get_task(name))["parameters"]:
            assert "any" not in parameter["type"].split(), (name, parameter)


def test_it_needs_no_model_runtime() -> None:
    code = (
        "import sys\n"
        "for name in ('torch', 'transformers', 'onnxruntime', 'numpy', 'PIL', 'redis', 'celery'):\n"
        "    sys.modules[name] = None\n"
        "from wherry.ops.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "tasks", "--json"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) == len(task_names())
