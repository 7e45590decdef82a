"""`wherry worker`: a worker process with its device pinned."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

#: Seconds between two of Celery's own heartbeats, which Flower and `celery events` alone read.
#: Leases have theirs.
CELERY_BEAT_S = 5


#: The family of the workers that do runs: alone, for they serve no model.
_RUNS = "runs"


def load_env_file(path: Path | None) -> Path | None:
    """Put what a file says into this process's environment, before settings are read."""
    from ..protocol.env_file import EnvFileError, load_env

    try:
        for remark in load_env(path, os.environ) if path else ():
            typer.echo(f"warning: {remark}", err=True)
    except EnvFileError as error:
        raise typer.BadParameter(str(error)) from None
    return path


EnvFile = Annotated[
    Path | None,
    typer.Option(
        "--env-file",
        is_eager=True,  # other options may be read from the environment
        callback=load_env_file,
        dir_okay=False,
        help="NAME=value lines for this process, as `wherry join-file` writes them; its own"
        " environment goes before.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add this room's commands."""
    app.command("worker")(worker)
    app.command("sweep")(sweep)


def worker(
    families: Annotated[
        list[str], typer.Argument(help="Task families: vision, audio, text, multimodal; or runs.")
    ],
    device: Annotated[
        str,
        typer.Option(
            envvar="WHERRY_DEVICE", help="cpu, cuda:N, or auto: spread over the GPUs, else the CPU."
        ),
    ] = "auto",
    number: Annotated[
        int, typer.Option(min=0, help="This worker's number on the machine, for auto.")
    ] = 0,
    concurrency: Annotated[
        int, typer.Option("--concurrency", "-c", min=1, help="Batches in hand.")
    ] = 3,
    name: Annotated[str, typer.Option("--name", "-n", help="Celery node name.")] = "",
    env_file: EnvFile = None,
    loglevel: Annotated[str, typer.Option(help="Celery's log level.")] = "INFO",
) -> None:
    """Run one worker for the given task families on one device; `runs` for one that does runs."""
    from .__main__ import run

    del env_file  # what it says is in the environment
    _join()
    if name and not re.fullmatch(r"[^\s@]+(@[^\s@]+)?", name):
        raise typer.BadParameter(f"--name {name!r}: expected one like vision-0 or vision-0@%h")
    if families == [_RUNS]:
        _do_runs(name or f"{_RUNS}-{number}@%h", loglevel)
    _prepare(families, device, number)
    node = name or f"{'-'.join(families)}-{number}@%h"
    run(
        [
            "worker",
            f"--queues={','.join(families)}",
            "--pool=threads",
            f"--concurrency={concurrency}",
            f"--hostname={node}",
            f"--loglevel={loglevel}",
            "--without-gossip",
            "--without-mingle",
            f"--heartbeat-interval={CELERY_BEAT_S}",
            "--task-events",
        ]
    )


def _join() -> None:
    """Join a fleet of another machine, if this process was told of one."""
    from .joining import CannotJoinError, join
    from .threads import EXIT_UNUSABLE

    try:
        for remark in join(os.environ):
            typer.echo(f"warning: {remark}", err=True)
    except CannotJoinError as error:
        _refuse(str(error).splitlines(), EXIT_UNUSABLE)


def _do_runs(node: str, loglevel: str) -> NoReturn:
    """Become a worker of runs, whose room this one does not know."""
    command = [
        *(sys.executable, "-P", "-m", "wherry.runs", "worker", f"--queues={_RUNS}"),
        *("--pool=threads", "--concurrency=1", f"--hostname={node}", f"--loglevel={loglevel}"),
        *("--without-gossip", "--without-mingle", "--task-events"),
        f"--heartbeat-interval={CELERY_BEAT_S}",
    ]
    os.execv(sys.executable, command)  # noqa: S606 # no shell


def _prepare(families: Sequence[str], device: str, number: int) -> None:
    """Pin the device and check the models. Exits where the worker cannot start."""
    from ..jobs.settings import JobsSettings, SettingsError, from_environment
    from ..protocol.nearest import meant
    from ..tasks.base import FAMILIES
    from .checks import check
    from .device import NoSuchGpuError, resolve
    from .settings import WorkerSettings
    from .threads import EXIT_UNUSABLE

    for family in families:
        if family not in FAMILIES:
            hint = meant(family, FAMILIES) or f"; there are {', '.join(FAMILIES)}"
            raise typer.BadParameter(f"unknown family {family!r}{hint}")
    try:
        # Pinned through the environment, before anything can import torch.
        os.environ["WHERRY_DEVICE"] = resolve(device, number)
        settings = from_environment(WorkerSettings)
        from_environment(JobsSettings).serving(families)
    except SettingsError as error:
        _refuse(str(error).splitlines(), EXIT_UNUSABLE)
    except NoSuchGpuError as error:
        _refuse([str(error)], EXIT_UNUSABLE)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    checked = check(
        settings.models,
        families=families,
        device=os.environ["WHERRY_DEVICE"],
        handler_dir=settings.handler_dir,
    )
    for warning in checked.warnings:
        typer.echo(f"warning: {warning}", err=True)
    # A model at fault is logged by the worker, which serves the others.
    if faults := checked.stopping(strict=settings.strict_models):
        _refuse(faults, EXIT_UNUSABLE)


def _refuse(faults: Sequence[object], status: int) -> NoReturn:
    for fault in faults:
        typer.echo(f"error: {fault}", err=True)
    raise typer.Exit(status)


def sweep(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list what would be removed.")
    ] = False,
    adopt: Annotated[
        bool,
        typer.Option(
            "--adopt", help="Sweep though other fleets used this store: they are gone for good."
        ),
    ] = False,
) -> None:
    """Remove what has expired, and blobs that nothing refers to. Workers do so too."""
    from ..jobs import redis_url
    from ..jobs.fleet_queue import open_blocking
    from ..jobs.orphans import SharedStoreError, Sweeper
    from ..jobs.settings import JobsSettings, SettingsError, from_environment
    from ..jobs.stores import open_store
    from ..protocol.errors import WherryError

    try:
        settings = from_environment(JobsSettings)
        store = open_store(settings)
    except SettingsError as error:
        _refuse(str(error).splitlines(), 2)
    queue = open_blocking(settings)
    try:
        sweeper = Sweeper(queue, store, settings)
        gone = sweeper.expired.remove(dry_run=dry_run, found=typer.echo)
        typer.echo(f"{gone} had expired")
        swept = sweeper.sweep(dry_run=dry_run, adopt=adopt, found=lambda blob: typer.echo(blob.key))
    except SharedStoreError as error:
        _refuse([error], 1)
    except WherryError as error:
        _refuse([redis_url.explain(error, settings.redis_url)], 1)
    finally:
        queue.close()
    typer.echo(f"{swept.orphans} of {swept.seen} are orphans; {swept.removed} removed")
