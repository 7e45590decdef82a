"""What `wherry up` says as JSON: an object a line, whoever said it."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from wherry.ops import json_lines
from wherry.ops.json_lines import JsonLog
from wherry.ops.log_view import LogView
from wherry.telemetry import logs

from .test_log_view import IDLE


@pytest.fixture
def output() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def console(output: io.StringIO) -> Console:
    return Console(file=JsonLog(output), soft_wrap=True, highlight=False)


def told(output: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


def test_what_it_says_itself_is_one_object_a_line(console: Console, output: io.StringIO) -> None:
    console.print("[bold green]Ready.[/]  API http://127.0.0.1:1")
    console.print("one\n\n   two")
    lines = told(output)
    assert [line["message"] for line in lines] == ["Ready.  API http://127.0.0.1:1", "one", "two"]
    assert {line["logger"] for line in lines} == {"wherry.up"}


def test_a_services_object_stays_and_names_its_service(
    console: Console, output: io.StringIO
) -> None:
    view = LogView(console)
    view("api", logs.line("warning", "wherry.api", "said", trace_id="abc"))
    [line] = told(output)
    assert (line["service"], line["level"], line["message"]) == ("api", "warning", "said")
    assert line["trace_id"] == "abc"


@pytest.mark.parametrize("text", ["plain text", "{no json", '{"no": "message"}', '["a"]'])
def test_a_services_text_is_wrapped(console: Console, output: io.StringIO, text: str) -> None:
    LogView(console)("redis", text)
    [line] = told(output)
    assert line["message"] == text
    assert line["service"] == line["logger"] == "redis"


def test_a_long_line_stays_one(console: Console, output: io.StringIO) -> None:
    LogView(console)("api", "x" * 500)
    console.print("y" * 500, markup=False)
    assert [len(line["message"]) for line in told(output)] == [500, 500]


def test_what_nobody_can_act_on_is_in_the_file_alone(
    console: Console, output: io.StringIO, tmp_path: Any
) -> None:
    view = LogView(console, tmp_path / "up.log")
    for line in IDLE:
        view("flower", line)
        view("worker-text", logs.line("info", "celery.worker", line))
    view.close()
    assert told(output) == []
    assert len((tmp_path / "up.log").read_text().splitlines()) == 2 * len(IDLE)


@pytest.mark.parametrize(("form", "is_json"), [("json", True), ("text", False), ("xml", False)])
def test_the_setting_chooses(form: str, is_json: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERRY_LOG_FORMAT", form)
    assert isinstance(json_lines.console().file, JsonLog) is is_json
