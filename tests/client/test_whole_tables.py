"""Every command that shows a table, in a terminal of 80 columns and in a pipe."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from wherry.client import batch_commands, commands, dead_commands, webhook_commands
from wherry.protocol.states import JobState

from .proxy import Answer, Proxy, Seen

APP = typer.Typer()
for room in (commands, batch_commands, dead_commands, webhook_commands):
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
#: By how a path begins: what the server answers.
SERVED: dict[str, Any] = {
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
