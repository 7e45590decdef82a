from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from wherry.ops.log_view import LogView


def show(*lines: tuple[str, str]) -> str:
    output = io.StringIO()
    view = LogView(Console(file=output, width=200, force_terminal=True, color_system="standard"))
    for service, line in lines:
        view(service, line)
    return output.getvalue()


def test_each_line_stands_behind_its_service() -> None:
    shown = show(("api", "one"), ("worker-text", "two"), ("api", "three"))
    first, second, third = shown.splitlines()
    assert first.endswith("one")
    assert third.endswith("three")
    assert "worker-text" in second


def test_a_service_keeps_its_colour() -> None:
    first, second, third = show(("a", "x"), ("b", "x"), ("a", "x")).splitlines()
    assert first == third
    assert first.split("a")[0] != second.split("b")[0]


def test_brackets_are_text_and_empty_lines_are_left_out() -> None:
    assert "[bold]not markup[/]" in show(("a", "[bold]not markup[/]"), ("a", "   "))
    assert show(("a", " ")) == ""


IDLE = [
    "[W 261128 20:09:51 inspector:98] Inspect method active_queues failed",
    "6785:M 28 Nov 2026 20:09:48.110 # WARNING Memory overcommit must be enabled! Without it, ...",
    "13776:signal-handler (1795897061) Received SIGTERM scheduling shutdown...",
    "13776:M 28 Nov 2026 20:17:41.277 # Valkey is now ready to exit, bye bye...",
    "worker: Warm shutdown (MainProcess)",
]


def test_what_nobody_can_act_on_goes_into_the_file_alone(tmp_path: Path) -> None:
    output = io.StringIO()
    view = LogView(Console(file=output, width=200), tmp_path / "up.log")
    for line in ["ready", *IDLE, "the model cannot be loaded"]:
        view("a", line)
    view.close()
    assert [line.split(maxsplit=1)[1] for line in output.getvalue().splitlines()] == [
        "ready",
        "the model cannot be loaded",
    ]
    kept = (tmp_path / "up.log").read_text().splitlines()
    assert len(kept) == len(IDLE) + 2
    assert all(line.endswith(said) for line, said in zip(kept[1:], IDLE, strict=False))


@pytest.mark.parametrize("file", ["not there/up.log", "."])
def test_without_a_file_everything_is_printed(file: str, tmp_path: Path) -> None:
    output = io.StringIO()
    view = LogView(Console(file=output, width=200), tmp_path / file)
    for line in IDLE:
        view("a", line)
    view.close()
    assert len(output.getvalue().splitlines()) == len(IDLE)


def test_the_file_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wherry.ops.log_view._FILE_BYTES", 1000)
    view = LogView(Console(file=io.StringIO()), tmp_path / "up.log")
    for _ in range(100):
        view("a", "x" * 50)
    view.close()
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 2000
