"""Prometheus' own checker, where it is installed."""

from __future__ import annotations

import shutil

import pytest


def promtool() -> str:
    """Where it is; skips the test where it is not."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    return found
