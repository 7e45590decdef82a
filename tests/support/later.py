"""Modules that are slow to import, and that few tests need."""

from __future__ import annotations

import importlib
from typing import Any


class Later:
    """A module, imported when something of it is first asked for.

    Each process of a run imports all test files to collect them, where one runs a file's tests.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # pytest asks everything whether it is a test
            raise AttributeError(name)
        return getattr(importlib.import_module(self._name), name)
