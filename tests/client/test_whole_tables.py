"""Every command that shows a table, in a terminal of 80 columns and in a pipe."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from wherry.client import (
    Client,
    batch_commands,
    commands,
    dead_commands,
    run_commands,
    run_shown,
    terminal,
    webhook_commands,
)
from wherry.protocol.states import JobState

from .proxy import Answer, Proxy, Seen

APP = typer.Typer()
for room in (commands, batch_commands, dead_commands, run_commands, webhook_commands):
    room.register(APP)

JOB, WORKER = str(uuid.UUID(int=2**127 + 5)), "vision-0@a-host-of-some-cloud.internal#24213aa8"
BATCH = f"batch_{uuid.UUID(int=2**127 + 6).hex}"
MODEL, TASK = "a-model-with-a-rather-long-name-for-pictures", "zero-shot-image-classification"
URL = "https://example.org/hooks/of/a/team/with/a/long/path/to/it"
AT = "2026-11-28T20:12:02.123456Z"

JOB_VIEW: dict[str, Any] = {
    "id": JOB,
    "status": JobState.FAILED,
    "model_name": MODEL,
    "model_version": "1",
    "task": TASK,
    "rows": 1,
    "attempt": 3,
    "priority": 5,
    "created_at": AT,
    "finished_at": AT,
    "error": {"type": "internal", "message": "some words of it " * 5},
}
#: Words of others: what a terminal obeys, and what would be markup.
NAMED = "\x1b]0;owned\x07\x9b31ma [red]name[/nobody]"
RUN: dict[str, Any] = {
    "id": "run_1",
    "name": NAMED,
    "state": "succeeded",
    "model": MODEL,
    "created_at": AT,
    "waiting_for": {"step": "merge", "reason": f"[/data]: {NAMED}", "since": AT},
}
#: By how a path begins: what the server answers.
SERVED: dict[str, Any] = {
    "/v2/runs/": RUN,
    "/v2/runs?": {"runs": [RUN], "after": None},
    "/v2/repository/index": [
        {
            "name": MODEL,
            "version": "1",
            "state": "UNAVAILABLE",
            "reason": "none of its workers runs",
            "task": TASK,
            "platform": "wherry_transformers",
        }
    ],
    "/v2/queues": {
        "queues": [
            {
                "model": MODEL,
                "version": "1",
                "priority": 5,
                "waiting": 123_456_789,
                "running": 12,
                "oldest_s": 86_400.5,
                "jobs_per_s": 1234.5,
                "batch_fill": 0.98,
            }
        ],
        "workers": [
            {
                "id": WORKER,
                "device": "cuda:0",
                "families": ["vision", "audio", "text", "multimodal"],
                "running": 3,
                "last_seen_s": 0.5,
            }
        ],
        "totals": {"succeeded": 1_000_000},
    },
    f"/v2/jobs/{JOB}": JOB_VIEW,
    "/v2/dead": {"jobs": [JOB_VIEW], "next": None, "total": 1},
    "/v2/webhooks": {
        "webhooks": [
            {"job_id": JOB, "failed_at": AT, "tries": 12, "url": URL, "error": "it answered 500"}
        ],
        "waiting": 0,
        "failed": 1,
        "totals": {"delivered": 0, "lost": 0},
    },
    "/v1/batches": {
        "data": [
            {
                "id": BATCH,
                "status": "in_progress",
                "request_counts": {"total": 200_000, "completed": 199_999, "failed": 1},
                "output_expires_at": 1_795_897_254,
                "errors": None,
            }
        ],
        "has_more": False,
        "last_id": BATCH,
    },
}


@pytest.fixture(scope="module")
def server() -> Iterator[Proxy]:
    def answer(seen: Seen) -> Answer:
        return Answer(200, next(v for path, v in SERVED.items() if seen.path.startswith(path)))

    with Proxy("http://127.0.0.1:1") as proxy:  # nothing is handed on
        proxy.rule = answer
        yield proxy


@pytest.mark.parametrize("columns", ["80", None])
@pytest.mark.parametrize(
    ("command", "whole"),
    [
        ("models", [MODEL, TASK, "transformers", "UNAVAILABLE"]),
        ("queues", [f"{MODEL}:1", "123456789", "86400.5 s", "1234.5", "98%", WORKER, "cuda:0"]),
        (f"status {JOB}", [JOB, "failed", MODEL]),
        ("batch list", [BATCH, "in_progress", "200000", "199999"]),
        ("dead list", [JOB, MODEL, AT]),
        ("webhooks list", [JOB, AT, "12", URL]),
    ],
)
def test_ids_names_and_numbers_are_whole(
    command: str, whole: list[str], columns: str | None, server: Proxy
) -> None:
    done = CliRunner().invoke(
        APP, [*command.split(), "--url", server.url], env={"COLUMNS": columns}
    )
    assert done.exit_code == 0, done.output
    assert [text for text in whole if text not in done.stdout] == []


@pytest.mark.parametrize("command", ["runs list", "runs show run_1", "runs watch run_1"])
def test_no_name_commands_a_terminal_or_is_markup(command: str, server: Proxy) -> None:
    done = CliRunner().invoke(APP, [*command.split(), "--url", server.url])
    assert done.exit_code == 0, done.output
    assert "a [red]name[/nobody]" in done.stdout
    assert not set(NAMED) & {"\x1b", "\x07", "\x9b"} & set(done.output)


def test_what_a_run_waits_for_is_no_markup_beside_its_bar(
    server: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = terminal.Output(file=io.StringIO(), force_terminal=True, width=200)
    monkeypatch.setattr(run_shown, "stderr", shown)
    with Client(server.url) as client:
        run_shown.watched(client, RUN["id"], as_json=False)
    assert isinstance(shown.file, io.StringIO)
    assert "waits: [/data]: ]0;owned" in shown.file.getvalue()
    assert "\x07" not in shown.file.getvalue()
