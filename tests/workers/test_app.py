"""Celery's process with our worker in it."""

from __future__ import annotations

import os
import subprocess
import sys

from wherry.workers.threads import EXIT_UNUSABLE

from .conftest import Process


def test_one_that_cannot_start_leaves_nothing_that_others_wait_for(process: Process) -> None:
    command = [
        sys.executable,
        "-P",
        "-m",
        "wherry.workers",
        "worker",
        "-Q",
        "text",
        "-P",
        "threads",
    ]
    done = subprocess.run(
        command,
        env={
            **os.environ,
            "WHERRY_REDIS_URL": process.jobs.redis_url,
            "WHERRY_MODELS": str(process.settings.models),
            "WHERRY_STRICT_MODELS": "true",
            "WHERRY_STORE_DIR": str(process.jobs.store_dir),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == EXIT_UNUSABLE, done.stderr
    assert "no_such_thing" in done.stderr
    assert process.seen() == []
