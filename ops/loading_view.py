"""Which models are being loaded, a line each, while a stack starts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

#: Seconds between two looks.
_EVERY_S = 0.5


class LoadingView:
    """Says of each worker what it loads, when that has changed."""

    def __init__(self, url: str, log: Callable[[str, str], None]) -> None:
        self._url, self._log = url, log
        self._said: dict[str, tuple[str, ...]] = {}
        self._most: dict[str, int] = {}
        self._next_s = 0.0

    def look(self, http: httpx.Client, services: Mapping[int | None, str]) -> None:
        """Look, if it is time to. `services` are names in the log by process id."""
        if time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + _EVERY_S
        for worker in _workers(http, self._url):
            if name := services.get(worker.get("pid")):
                self._say(name, tuple(worker.get("loading", ())))

    def _say(self, name: str, left: tuple[str, ...]) -> None:
        if left == self._said.get(name, ()):
            return
        self._said[name] = left
        most = self._most.setdefault(name, len(left))
        if left:
            number = most - len(left) + 1
            self._log(name, f"loading {left[0].rpartition('/')[0]} ({number} of {most})")


def _workers(http: httpx.Client, url: str) -> list[dict[str, Any]]:
    try:
        told = http.get(f"{url}/v2/workers").json()["workers"]
    except (httpx.HTTPError, ValueError, KeyError):  # as without an admin's key
        return []
    return [each for each in told if each["alive"] and each["state"] == "loading"]
