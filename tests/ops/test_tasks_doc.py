from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from wherry.ops.tasks_doc import pretty, render, write
from wherry.tasks.registry import get_task, task_names

FOLDER = Path(__file__).parents[2] / "docs" / "tasks"


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return render()


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def test_the_pages_are_up_to_date(pages: dict[str, str]) -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(pages), "run `make docs`"
    for name, text in pages.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, f"{name}: run `make docs`"


def test_every_task_has_a_page_that_the_index_names(pages: dict[str, str]) -> None:
    assert set(pages) == {"README.md", *(f"{name}.md" for name in task_names())}
    for name in task_names():
        assert f"]({name}.md)" in pages["README.md"]


@pytest.mark.parametrize("name", task_names())
def test_the_python_of_a_page_makes_the_golden_input(name: str, pages: dict[str, str]) -> None:
    (code,) = blocks(pages[f"{name}.md"], "python")
    made: dict[str, Any] = {}
    exec(code, made)
    assert made["inputs"] == get_task(name).example.input


@pytest.mark.parametrize("name", task_names())
def test_a_page_shows_every_tensor_and_parameter(name: str, pages: dict[str, str]) -> None:
    task, page = get_task(name), pages[f"{name}.md"]
    for spec in (*task.inputs, *task.outputs):
        assert f"`{spec.name}`" in page
    for parameter in task.input.parameter_names():
        assert f"| `{parameter}` | " in page
    request, response = map(json.loads, blocks(page, "json"))
    assert {t["name"] for t in request["inputs"]} <= {s.name for s in task.inputs}
    there = [t["name"] for t in response["outputs"]]
    assert there == [s.name for s in task.outputs if s.name in there or not s.optional]


def test_pages_of_tasks_that_are_gone_go_too(tmp_path: Path) -> None:
    (tmp_path / "origami.md").touch()
    write(tmp_path)
    assert not (tmp_path / "origami.md").exists()
    assert (tmp_path / "embedding.md").exists()


@pytest.mark.parametrize("value", [[], {}, [[1.5] * 40] * 3, {"a": ["x" * 50] * 4, "b": None}])
def test_pretty_is_json(value: Any) -> None:
    assert json.loads(pretty(value)) == value


def test_pretty_cuts_long_strings() -> None:
    assert json.loads(pretty("x" * 500)) == "x" * 48 + "... (500 characters)"
