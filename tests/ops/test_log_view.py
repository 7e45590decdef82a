from __future__ import annotations

import io

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
