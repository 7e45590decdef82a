"""`python -P -m wherry.workers worker -Q vision ...`: Celery's command line with Wherry's app.

`celery -A` puts the current folder before all else while it imports the app, so that a file there
called `random.py` or `torch.py` would be run in a module's place. Here nothing is found by `-A`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from typing import NoReturn

from celery import Celery

from ..jobs.settings import JobsSettings, from_environment
from . import transport
from .celery_app import run_command_line


def run(arguments: Sequence[str]) -> NoReturn:
    """Run Celery's command line with the app of this room."""
    run_command_line(partial(_app, families_of(arguments)), arguments)


def families_of(arguments: Sequence[str]) -> list[str]:
    """The families that a worker's command line names, by its queues."""
    found: list[str] = []
    for at, argument in enumerate(arguments):
        if argument in ("-Q", "--queues"):
            found += "".join(arguments[at + 1 : at + 2]).split(",")
        elif argument.startswith(("-Q", "--queues=")):
            found += argument.removeprefix("--queues=").removeprefix("-Q").split(",")
    return [family.strip() for family in found if family.strip()]


def _app(families: Sequence[str]) -> Celery:
    from .app import app  # here: it reads the settings

    settings = from_environment(JobsSettings)
    if settings.own_redis and families:
        app.conf.update(transport.broker(settings.serving(families).redis_url))
    return app


if __name__ == "__main__":
    run(sys.argv[1:])
