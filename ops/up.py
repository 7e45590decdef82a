"""What `wherry up` does: run a stack in the foreground until a signal comes."""

from __future__ import annotations

import signal

from rich.console import Console
from rich.markup import escape

from ..jobs.redis_url import shown
from ..tasks.catalog import CatalogError
from .data_folder import DataFolderError
from .log_view import LogView
from .redis_server import NoRedisError
from .stack import Stack, StackError, StackHaltedError


def serve(stack: Stack, console: Console) -> int:
    """Run the stack until SIGINT or SIGTERM. Answers the exit status: 1 if it could not start."""
    stack.log = view = LogView(console, stack.data_dir / "up.log")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stack.halt.set())
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda *_: stack.reload())
    console.print(f"Starting with the models of {stack.models}; they load first", markup=False)
    try:
        with stack:
            console.print(f"{_readiness(stack)}  API {stack.url}   {_others(stack)}")
            for reason in stack.failed_models.values():
                console.print(f"         {reason}", markup=False)
            console.print(f"         export WHERRY_URL={stack.url}   Ctrl-C stops")
            for line in _ways_in(stack):
                console.print(f"         {line}", markup=False)
            console.print(f"         All that is said: {view.file}", markup=False)
            console.print(f"Console  {stack.console_url}", markup=False)
            stack.halt.wait()
    except StackHaltedError:
        pass
    except (StackError, CatalogError, DataFolderError, NoRedisError) as error:
        print_error(console, str(error))
        return 1
    finally:
        view.close()
    console.print("Stopped in order.")
    return 0


def print_error(console: Console, text: str) -> None:
    """Each line of it as an error."""
    for line in text.splitlines():
        console.print(f"[red]error:[/] {escape(line)}")


def _readiness(stack: Stack) -> str:
    failed = stack.failed_models
    if not failed:
        return "[bold green]Ready.[/]"
    count = f"{len(failed)} model{'' if len(failed) == 1 else 's'}"
    return f"[bold yellow]Ready, but for {count}:[/] {escape(', '.join(failed))}."


def _others(stack: Stack) -> str:
    grpc = f"gRPC {stack.grpc_url}   " if stack.grpc_port else ""
    flower = f"Flower {stack.flower_url}   " if stack.flower else ""
    return f"{grpc}{flower}Redis {shown(stack.redis_url)}"


def _ways_in(stack: Stack) -> list[str]:
    """What whoever comes from elsewhere needs."""
    lines = [f"export WHERRY_API_KEY_FILE={stack.key_file}"] if stack.key_file else []
    tls = stack.exposure.tls
    if tls and tls.ca:
        lines.append(f"export WHERRY_CA_FILE={tls.ca.absolute()}")
    if stack.redis and stack.redis.access.exposure.is_open:
        lines.append(f"A worker elsewhere: wherry --env-file {stack.fleet_file} join-file")
    return lines
