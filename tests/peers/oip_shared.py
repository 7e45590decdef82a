"""What the drivers of OIP v2's clients share; runs in their environments, without Wherry."""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

HTTP, GRPC, FOLDER = sys.argv[1].removeprefix("http://"), sys.argv[2], Path(sys.argv[3])
TEXTS = ["a boat on the river", "zwei Wörter ü", "模型"]
IMAGE = (FOLDER / "image.png").read_bytes()

CALLS: dict[str, Callable[[], Any]] = {}


def call(name: str) -> Callable[[Any], Any]:
    """Make a function a call to be made; what it returns is what was seen."""

    def keep(function: Any) -> Any:
        CALLS[name] = function
        return function

    return keep


def tensors(found: dict[str, Any]) -> dict[str, Any]:
    """Arrays as lists, bytes as text, or as hex where they are none."""
    return {name: _plain(array.tolist()) for name, array in found.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.hex()
    return value


def main() -> None:
    """Make every call; print a line of JSON for each."""
    for name, function in CALLS.items():
        saw, failed = None, ""
        try:
            saw = function()
            if inspect.iscoroutine(saw):
                saw = asyncio.run(saw)
        except Exception:
            failed = traceback.format_exc()
        sys.stdout.write(json.dumps({"call": name, "saw": saw, "failed": failed}) + "\n")
