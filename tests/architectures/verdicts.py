"""What became of every pair, kept beside this file: the page is written from it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from .judging import Verdict

FILE = Path(__file__).parent / "verdicts.json"

#: Pairs by task, then type.
Verdicts = dict[tuple[str, str], Verdict]


def read(file: Path = FILE) -> tuple[str, Verdicts]:
    """The version of transformers they were had with, and the verdicts."""
    if not file.exists():
        return "", {}
    kept = json.loads(file.read_text(encoding="utf-8"))
    found = [
        Verdict(task, kind, *verdict)
        for task, kinds in kept["tasks"].items()
        for kind, verdict in kinds.items()
    ]
    return kept["transformers"], {(one.task, one.kind): one for one in found}


def write(version: str, verdicts: Iterable[Verdict], file: Path = FILE) -> None:
    """Keep them, a line each."""
    tasks: dict[str, dict[str, list[str]]] = {}
    for one in sorted(verdicts, key=lambda one: (one.task, one.kind)):
        tasks.setdefault(one.task, {})[one.kind] = [one.word, *([one.why] if one.why else [])]
    blocks = [
        f"{json.dumps(task)}: {{\n"
        + ",\n".join(f"{json.dumps(kind)}: {json.dumps(v)}" for kind, v in kinds.items())
        + "\n}"
        for task, kinds in tasks.items()
    ]
    text = f'{{"transformers": {json.dumps(version)}, "tasks": {{\n' + ",\n".join(blocks) + "\n}}\n"
    half = file.with_suffix(".half")
    half.write_text(text, encoding="utf-8")
    half.replace(file)
