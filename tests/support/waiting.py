"""Waiting for what another process or thread does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(look: Callable[[], T], good: Callable[[T], object] = bool, timeout_s: float = 60) -> T:
    """What is seen once it is as it should be; fails when that takes too long."""
    deadline = time.monotonic() + timeout_s
    while not good(seen := look()):
        assert time.monotonic() < deadline, f"still {seen!r}"
        time.sleep(0.02)
    return seen
