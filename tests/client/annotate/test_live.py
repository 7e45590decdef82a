"""What a run shows while it goes."""

from __future__ import annotations

import io

from rich.console import Console

from wherry.client.annotate.live import View, line
from wherry.client.annotate.run import Progress


def test_while_nobody_knows_how_many_rows_those_read_are_told() -> None:
    assert line(Progress(read=120, done=100)).startswith("100 of 120+ rows, ")
    assert line(Progress(read=1200, done=100, total=5000)).startswith("100 of 5,000 rows, ")


def test_files_that_are_left_out_are_told() -> None:
    assert line(Progress(total=3, left_out=1200)).endswith(", left out 1,200 files")
    assert "left out" not in line(Progress(total=3))


def test_a_terminal_shows_the_same() -> None:
    class Fleet:
        def get(self, path: str) -> object:
            return {"queues": [], "workers": []}

    screen = io.StringIO()
    with View(Console(file=screen, force_terminal=True, width=200), Fleet(), "m") as view:  # type: ignore[arg-type] # all that it asks of a fleet
        view(Progress(read=120, done=100, left_out=7))
    assert "100 of 120+" in screen.getvalue()
    assert "left out 7 files" in screen.getvalue()
