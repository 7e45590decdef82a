"""Every command that a page has its reader type is there, with its options."""

from __future__ import annotations

import functools
import importlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main

from wherry.ops.cli import _ROOMS
from wherry.tasks.registry import task_names

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

_COMMAND = re.compile(r"(?:^|[`$ /])wherry +((?:[a-z][a-z-]* *)[^`\n|]*)")
_FENCE = re.compile(r"^ *```(?:console|sh|bash)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(wherry [^`]+)`")


def commands(page: Path) -> list[str]:
    """What follows `wherry` in a page's shell blocks and code."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in _FENCE.findall(text) for line in block.splitlines()]
    lines += [" ".join(found.split()) for found in _INLINE.findall(text)]
    return [found for line in lines for found in _COMMAND.findall(line.split(" #")[0])]


@functools.cache
def whole() -> Any:  # typer's own click, whose types it keeps to itself
    """The command line, every room's commands in it."""
    app = typer.Typer()
    app.command("version")(lambda: None)
    for module, _, _ in _ROOMS:
        if module:
            importlib.import_module(f"wherry.{module}").register(app)
    return typer.main.get_command(app)


def unknown(words: list[str]) -> str:
    """The first word that names no command or option; "" for none."""
    command = whole()
    while words and getattr(command, "commands", None):
        name = words.pop(0).rstrip(",")
        if name.startswith("-"):
            words.insert(0, name)
            break
        if name not in command.commands:
            return name
        command = command.commands[name]
    options = {"--help"} | {
        option for each in command.params for option in (*each.opts, *each.secondary_opts)
    }
    given = [word.split("=")[0].rstrip(",.:") for word in words if word.startswith("--")]
    return next((option for option in given if option not in options and option != "--"), "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_their_options_are_there(page: Path) -> None:
    odd = []
    for text in commands(page):
        try:
            words = shlex.split(text)
        except ValueError:  # a quotation that goes on in the next line
            words = text.split()
        if name := unknown(words):
            odd.append(f"{name} in: wherry {text}")
    assert odd == []


def test_the_readme_counts_the_tasks() -> None:
    told = re.search(r"lists the tasks, (\d+) of them", (ROOT / "README.md").read_text("utf-8"))
    assert told
    assert int(told[1]) == len(task_names())
