"""A real worker with remote controls that make its consumer deaf, in the ways that are known."""

from __future__ import annotations

import sys
import threading
from typing import Any

from celery.worker.control import control_command

from wherry.workers.__main__ import run


@control_command()  # type: ignore[untyped-decorator] # celery's
def lose_the_queues(state: Any) -> str:
    """Connected, and subscribed to nothing: as after a reconnection that forgot to."""
    state.consumer.task_consumer.channel._active_queues.clear()
    return "deaf"


@control_command()  # type: ignore[untyped-decorator] # celery's
def lose_the_credit(state: Any) -> str:
    """Messages that were never acknowledged hold all of the credit."""
    state.consumer.task_consumer.channel.qos.can_consume = lambda: False
    return "deaf"


@control_command()  # type: ignore[untyped-decorator] # celery's
def stall(state: Any) -> str:
    """The event loop hangs: not even a restart can be asked for."""
    threading.Event().wait()
    return "never"


if __name__ == "__main__":
    run(sys.argv[1:])
