"""Models of the stub that answer nobody until a test lets them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path


@contextmanager
def held(hold: Path) -> Iterator[Callable[[], None]]:
    """Hold the models whose `hold` is that file, until what this gives is called, or the end."""
    hold.touch()
    let_go = partial(hold.unlink, missing_ok=True)
    try:
        yield let_go
    finally:
        let_go()
