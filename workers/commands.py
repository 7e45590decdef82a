"""`wherry worker`: a worker process with its device pinned."""

from __future__ import annotations

import os
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add this room's commands."""
    app.command("worker")(worker)


def worker(
    families: Annotated[
        list[str], typer.Argument(help="Task families: vision, audio, text, multimodal.")
    ],
    device: Annotated[
        str, typer.Option(help="cpu, cuda:N, or auto: spread over the GPUs.")
    ] = "auto",
    number: Annotated[int, typer.Option(help="This worker's number on the machine, for auto.")] = 0,
    concurrency: Annotated[int, typer.Option("--concurrency", "-c", help="Batches in hand.")] = 3,
    name: Annotated[str, typer.Option("--name", "-n", help="Celery node name.")] = "",
    loglevel: Annotated[str, typer.Option(help="Celery's log level.")] = "INFO",
) -> None:
    """Run one worker for the given task families on one device."""
    from .device import resolve

    # Pinned through the environment, before anything can import torch.
    os.environ["WHERRY_DEVICE"] = resolve(device, number)
    from .app import app as celery_app

    node = name or f"{'-'.join(families)}-{number}@%h"
    celery_app.worker_main(
        [
            "worker",
            f"--queues={','.join(families)}",
            "--pool=threads",
            f"--concurrency={concurrency}",
            f"--hostname={node}",
            f"--loglevel={loglevel}",
            "--without-gossip",
            "--without-mingle",
            "--task-events",
        ]
    )
