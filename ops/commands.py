"""`wherry up` and `wherry demo`. What they run is imported when they are called."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from .check_command import DEFAULT_MODELS, Device
from .ports import LOOPBACK

if TYPE_CHECKING:
    from .exposure import TlsFiles

#: One small, real model per task, named after the task: also what the demo runs.
SAMPLE_MODELS = Path(__file__).parent / "demo" / "models.toml"

#: Seconds between two looks at a folder of models.
_POLL_S = 2

LogLevel = Literal["debug", "info", "warning", "error"]


def register(app: typer.Typer) -> None:
    """Add this room's commands."""
    app.command("up")(up)
    app.command("demo")(demo)


def _checked_redis_url(url: str) -> str:
    from ..jobs import redis_url

    try:
        if url:
            redis_url.check(url)
    except ValueError as error:  # it shows nothing of a password
        raise typer.BadParameter(str(error)) from None
    return url


def _checked_memory(size: str) -> str:
    from .redis_server import checked_size

    try:
        return checked_size(size)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def up(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the API; 0 picks a free one.")
    ] = 8750,
    grpc_port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port of OIP v2 over gRPC; 0 picks a free one. Default: none."
        ),
    ] = None,
    models: Annotated[
        Path | None,
        typer.Option(
            envvar="WHERRY_MODELS",
            exists=True,
            dir_okay=False,
            help="Model declarations. Default: models.toml if it is here, else the sample models.",
        ),
    ] = None,
    models_dir: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="A folder of models, MODEL/model.toml and MODEL/VERSION/, that is watched.",
        ),
    ] = None,
    sample_models: Annotated[
        bool, typer.Option("--sample-models", help="Serve one small model per task.")
    ] = False,
    redis_url: Annotated[
        str,
        typer.Option(
            envvar="WHERRY_REDIS_URL",
            help="A Redis to use; empty starts one.",
            callback=_checked_redis_url,
        ),
    ] = "",
    host: Annotated[
        str,
        typer.Option(
            help="Address that the API listens on; other than loopback, it asks for API keys."
        ),
    ] = LOOPBACK,
    address: Annotated[
        str,
        typer.Option(help="What other machines call this one. Default: --host, or its address."),
    ] = "",
    redis_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Port of the Redis that is started, on --host too, for workers of other machines."
            " Default: a free one on loopback.",
        ),
    ] = None,
    redis_password_file: Annotated[
        Path | None,
        typer.Option(
            envvar="WHERRY_REDIS_PASSWORD_FILE",
            dir_okay=False,
            help="Holds that Redis' password, as WHERRY_REDIS_PASSWORD may. Default: where it is"
            " open, one is made and kept in --data-dir.",
        ),
    ] = None,
    tls_cert: Annotated[
        Path | None,
        typer.Option(help="Certificate (PEM) of the API, and of a Redis that is open."),
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key (PEM).")] = None,
    tls_ca: Annotated[
        Path | None,
        typer.Option(help="Authority (PEM) that clients have to trust for it besides their own."),
    ] = None,
    fsync: Annotated[
        Literal["everysec", "always"],
        typer.Option(help="When the Redis that is started syncs what it accepted to disk."),
    ] = "everysec",
    redis_memory: Annotated[
        str,
        typer.Option(
            envvar="WHERRY_REDIS_MEMORY",
            callback=_checked_memory,
            help="What that Redis may hold, as 2gb; then it refuses. Default: half of the memory.",
        ),
    ] = "",
    data_dir: Annotated[Path, typer.Option(help="Folder of queue, blobs and log.")] = Path(
        ".wherry"
    ),
    flower: Annotated[bool, typer.Option(help="Run Flower too.")] = True,
    flower_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Flower's port; 0 picks a free one.")
    ] = 5555,
    device: Device = "auto",
    concurrency: Annotated[
        int, typer.Option("--concurrency", "-c", min=1, help="Batches in hand per worker.")
    ] = 3,
    run_workers: Annotated[
        int, typer.Option(min=0, help="Processes that do runs: data sets, annotated by the fleet.")
    ] = 1,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            envvar="WHERRY_STRICT_MODELS",
            help="Start only if every model can be served. Default: serve the others.",
        ),
    ] = False,
    log_level: Annotated[LogLevel, typer.Option(help="Of every service.")] = "warning",
) -> None:
    """Run the whole stack here until Ctrl-C: Redis, the API, a worker per family, Flower."""
    from ..samples.models import SamplesError, write_samples
    from . import json_lines
    from .data_folder import DataFolderError
    from .exposure import Exposure
    from .fleet_access import given_password
    from .stack import Stack, StackError
    from .up import print_error, serve

    console = json_lines.console()
    tls = tls_files(tls_cert, tls_key, tls_ca)
    if redis_url and redis_port is not None:
        raise typer.BadParameter("--redis-port is of the Redis that is started: leave --redis-url")
    try:
        password = given_password(redis_password_file)
    except StackError as error:
        print_error(console, str(error))
        raise typer.Exit(1) from None
    if models_dir is not None and (models is not None or sample_models):
        raise typer.BadParameter("use --models-dir alone, without --models and --sample-models")
    chosen = models_dir or choose_models(models, sample_models=sample_models)
    if chosen is None:
        try:
            chosen = write_samples(data_dir / "samples", log=partial(console.print, markup=False))
        except SamplesError as error:
            print_error(console, str(error))
            raise typer.Exit(1) from None
        except OSError as error:
            print_error(console, str(DataFolderError.of(data_dir, error)))
            raise typer.Exit(1) from None
    stack = Stack(
        models=chosen,
        data_dir=data_dir,
        port=port,
        grpc_port=grpc_port,
        redis_url=redis_url,
        exposure=Exposure(host, address, tls),
        redis_port=redis_port,
        redis_password=password,
        flower=flower,
        flower_port=flower_port,
        device=device,
        concurrency=concurrency,
        run_workers=run_workers,
        strict_models=strict,
        log_level=log_level,
        appendfsync=fsync,
        redis_memory=redis_memory,
        env={"WHERRY_MODELS_POLL_S": str(_POLL_S)} if models_dir else {},
    )
    raise typer.Exit(serve(stack, console))


def tls_files(cert: Path | None, key: Path | None, ca: Path | None) -> TlsFiles | None:
    """The files of TLS, all that there must be. Raises BadParameter."""
    from .exposure import TlsFiles

    if cert is None and key is None and ca is None:
        return None
    if cert is None or key is None:
        raise typer.BadParameter("TLS needs both --tls-cert and --tls-key")
    return TlsFiles(cert, key, ca)


def choose_models(models: Path | None, *, sample_models: bool) -> Path | None:
    """The declarations to serve, None for the samples. Raises BadParameter when two are named."""
    if sample_models and models is not None:
        raise typer.BadParameter("use --models or --sample-models, not both")
    if models is not None:
        return models
    return DEFAULT_MODELS if DEFAULT_MODELS.exists() and not sample_models else None


def demo(
    stay: Annotated[
        bool | None,
        typer.Option(
            "--stay/--no-stay",
            help="Leave the console open until Ctrl-C. Default: in a terminal.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show the fleet at work on real inputs, and check its answers."""
    from .demo.run import run

    in_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    raise typer.Exit(run(Console(), stay=in_terminal if stay is None else stay))
