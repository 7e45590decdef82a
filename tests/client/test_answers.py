"""Answers and lists as people read them in a terminal, and scripts in a pipe."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import RenderableType

from wherry.client.answers import answer_table
from wherry.client.tables import models_table, output_table, queues_table
from wherry.client.terminal import Output
from wherry.tasks.registry import get_task, task_names


def printed(
    shown: RenderableType, monkeypatch: pytest.MonkeyPatch, *, columns: int | None = None
) -> str:
    """What is printed into a terminal of so many columns, or into a pipe."""
    if columns:
        monkeypatch.setenv("COLUMNS", str(columns))
    else:
        monkeypatch.delenv("COLUMNS", raising=False)
    file = io.StringIO()
    Output(file=file).print(shown, crop=False)
    return file.getvalue()


@pytest.mark.parametrize("name", task_names())
def test_every_tasks_answer_is_a_table_with_a_line_a_thing(name: str) -> None:
    example = get_task(name).example.output
    table = answer_table(example)
    assert table.columns[0].header == "row"
    assert table.row_count >= len(example.rows())


@pytest.mark.parametrize("name", ["object-detection", "token-classification", "mask-generation"])
def test_nothing_found_is_said_in_words(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = printed(output_table("x.jpg", "id", get_task(name).output.empty()), monkeypatch)
    assert "nothing" in text


def test_an_answer_is_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    output = get_task("text-classification").output
    answer: Any = output.model_validate({"results": [[{"label": "[red]x[/]", "score": 1.0}]]})
    assert "[red]x[/]" in printed(output_table("[b]", "id", answer), monkeypatch)


def test_in_a_pipe_no_line_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    output = get_task("summarization").output
    long = "word " * 100 + "end"
    one = {"text": long, "finish_reason": "stop", "prompt_tokens": 1, "completion_tokens": 2}
    answer: Any = output.model_validate({"generations": [one]})
    assert long in printed(output_table("x", "id", answer), monkeypatch)


def model(name: str, reason: str = "") -> dict[str, Any]:
    return {
        "name": name,
        "version": "1",
        "state": "UNAVAILABLE" if reason else "READY",
        "reason": reason,
        "task": "automatic-speech-recognition",
        "platform": "wherry_transformers",
    }


@pytest.mark.parametrize("columns", [80, 60, None])
def test_names_states_and_numbers_are_whole_however_narrow(
    columns: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "a-name-that-is-rather-long-for-a-model-of-speech"
    text = printed(models_table([model(name, "no worker " * 9)]), monkeypatch, columns=columns)
    assert name in text
    assert "UNAVAILABLE" in text
    fleet = {
        "queues": [
            {
                "model": name,
                "version": "1",
                "priority": 5,
                "waiting": 123_456_789,
                "running": 12,
                "oldest_s": 86_400.5,
                "jobs_per_s": 1234.5,
                "batch_fill": 0.98,
            }
        ],
        "workers": [
            {
                "id": "vision-0@a-host-name-of-a-cloud.internal:12345",
                "device": "cuda:0",
                "families": ["vision", "audio", "text", "multimodal"],
                "running": 3,
                "last_seen_s": 0.5,
            }
        ],
        "totals": {"succeeded": 1_000_000},
    }
    text = printed(queues_table(fleet), monkeypatch, columns=columns)
    for whole in (f"{name}:1", "123456789", "86400.5 s", "1234.5", "98%", "0.5 s ago"):
        assert whole in text
    assert "vision-0@a-host-name-of-a-cloud.internal:12345" in text


def test_empty_lists_are_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed(models_table([]), monkeypatch) == "no models\n"
    text = printed(queues_table({"queues": [], "workers": [], "totals": {}}), monkeypatch)
    assert text.split("\n")[:2] == ["nothing waits or runs", "no workers to be seen"]
