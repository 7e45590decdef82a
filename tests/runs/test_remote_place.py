"""Outputs behind a URL: what is there stays, and where nothing can be written is known before."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from wherry.protocol.errors import InvalidRequest, Unavailable
from wherry.runs.hold import StepPaused
from wherry.runs.remote_place import refuse_taken, try_place, upload


@pytest.fixture
def out() -> str:
    """A place in a bucket of the test's own."""
    return f"memory://{uuid.uuid4().hex}/labels.jsonl"


def files(out: str) -> list[str]:
    fs = MemoryFileSystem()
    return [name.rpartition("/")[2] for name in fs.find(out.rpartition("/")[0])]


def refusing(error: Exception) -> Any:
    def put(*_: object, **__: object) -> None:
        raise error

    return put


def test_trying_a_place_leaves_nothing_there(out: str) -> None:
    try_place(out)
    assert files(out) == []


def test_a_place_that_refuses_is_told_of(out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryFileSystem, "pipe_file", refusing(PermissionError("Access Denied")))
    with pytest.raises(InvalidRequest, match="Access Denied"):
        try_place(out)
    monkeypatch.setattr(MemoryFileSystem, "pipe_file", refusing(OSError("no route")))
    with pytest.raises(Unavailable, match="no route"):
        try_place(out)


def test_who_may_write_need_not_remove(out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryFileSystem, "rm_file", refusing(PermissionError("Access Denied")))
    try_place(out)


@pytest.mark.parametrize("ending", ["", ".errors.jsonl", ".report.json", ".report.html"])
def test_what_is_there_is_refused(out: str, ending: str) -> None:
    refuse_taken(out)
    MemoryFileSystem().pipe_file(out + ending, b"dear")
    with pytest.raises(InvalidRequest, match="is there"):
        refuse_taken(out + "/")


def test_an_upload_is_left_off_between_two_files(out: str, tmp_path: Path) -> None:
    names = ["labels.jsonl.report.json", "labels.jsonl"]
    for name in names:
        (tmp_path / name).write_text(name)
    calls = []

    def check() -> None:
        calls.append(files(out))
        if len(calls) == 2:
            raise StepPaused

    with pytest.raises(StepPaused):
        upload(out, {name: tmp_path / name for name in names}, check)
    assert calls == [[], ["labels.jsonl"]], "the report comes last"
