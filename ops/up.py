"""What `wherry up` does: run a stack in the foreground until a signal comes."""

from __future__ import annotations

import signal

from rich.console import Console

from ..tasks.catalog import CatalogError
from .data_folder import FolderInUseError
from .log_view import LogView
from .redis_server import NoRedisError
from .stack import Stack, StackError, StackHaltedError


def serve(stack: Stack, console: Console) -> int:
    """Run the stack until SIGINT or SIGTERM. Answers the exit status: 1 if it could not start."""
    stack.log = LogView(console)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stack.halt.set())
    console.print(f"Starting with the models of {stack.models}; they load first")
    try:
        with stack:
            console.print(f"[bold green]Ready.[/]  API {stack.url}   {_others(stack)}")
            console.print(f"         export WHERRY_URL={stack.url}   Ctrl-C stops")
            stack.halt.wait()
    except StackHaltedError:
        pass
    except (StackError, CatalogError, FolderInUseError, NoRedisError) as error:
        console.print(f"[red]error:[/] {error}")
        return 1
    console.print("Stopped in order.")
    return 0


def _others(stack: Stack) -> str:
    grpc = f"gRPC {stack.grpc_url}   " if stack.grpc_port else ""
    flower = f"Flower {stack.flower_url}   " if stack.flower else ""
    return f"{grpc}{flower}Redis {stack.redis_url}"
