"""docs/image-processors.md against the processors of the transformers that is installed."""

from __future__ import annotations

from pathlib import Path

from .processors_page import render

PAGE = Path(__file__).parents[4] / "docs" / "image-processors.md"


def test_the_page_sorts_every_processor() -> None:
    assert PAGE.read_text(encoding="utf-8") == render()
