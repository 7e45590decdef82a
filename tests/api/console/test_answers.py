"""The console draws every kind of answer that a task may declare."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import get_args

from wherry.tasks.base import Renderer

ANSWERS = files("wherry.api.console") / "static" / "answers"


def test_each_renderer_has_its_module() -> None:
    kinds = re.search(
        r"KINDS = new Set\(\[(.*?)\]\)", (ANSWERS / "answer.js").read_text(), re.DOTALL
    )
    assert kinds
    assert tuple(re.findall(r'"(\w+)"', kinds[1])) == get_args(Renderer)
    for name in get_args(Renderer):
        assert "export default function draw" in (ANSWERS / f"{name}.js").read_text()
