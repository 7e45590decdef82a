"""docs/compatibility.md, from what the peer tests saw: `make compatibility`."""

from __future__ import annotations

import json
import os
import sys
from itertools import groupby
from pathlib import Path

#: Set to write results down; a plain run of the tests changes no file.
RECORD = "WHERRY_RECORD_COMPATIBILITY"

RESULTS = Path(__file__).with_name("compatibility.json")

_INTRODUCTION = """\
# Compatibility

Real clients of other systems, unchanged, that work against Wherry. Each line is a test that drives
the client named, in an environment of its own, against a running fleet with a model for every task
(`make test-peers`). This page is written from the results of those tests (`make compatibility`).
"""

_NOT_DRIVEN = """
## Not driven

| client | why |
| --- | --- |
| model-analyzer's `profile` | it starts perf_analyzer |
| pytriton's `FuturesModelClient` over gRPC | 0.7.0 loses the scheme of its URL and speaks HTTP to the gRPC port |
"""  # noqa: E501 # rows of a table

#: client, call -> whether it worked
_seen: dict[tuple[str, str], bool] = {}


def note(client: str, call: str, *, passed: bool) -> None:
    """Remember what came of a call; one that failed once has failed."""
    _seen[client, call] = _seen.get((client, call), True) and passed


def save() -> None:
    """Put what was seen in place of what is written of the same calls."""
    if not _seen or not os.environ.get(RECORD):
        return
    kept = [row for row in load() if (row[0], row[1]) not in _seen]
    rows = sorted([*kept, *((client, call, ok) for (client, call), ok in _seen.items())])
    RESULTS.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")


def load() -> list[tuple[str, str, bool]]:
    """Client, call, and whether it worked."""
    if not RESULTS.exists():
        return []
    return [(client, call, ok) for client, call, ok in json.loads(RESULTS.read_text())]


def page() -> str:
    """The page's text."""
    rows = load()
    lines = [_INTRODUCTION]
    summary = ["| client | calls | work |", "| --- | --- | --- |"]
    details: list[str] = []
    for client, group in groupby(rows, key=lambda row: row[0]):
        calls = list(group)
        good = sum(ok for *_, ok in calls)
        summary.append(f"| {client} | {len(calls)} | {good} |")
        details += [f"\n## {client}\n", "| call | works |", "| --- | --- |"]
        details += [f"| {call} | {'yes' if ok else '**no**'} |" for _, call, ok in calls]
    return "\n".join([*lines, *summary, *details]) + "\n" + _NOT_DRIVEN


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page())
