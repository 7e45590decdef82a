"""`python -P -m wherry.workers worker -Q vision ...`: Celery's command line with Wherry's app.

`celery -A` puts the current folder before all else while it imports the app, so that a file there
called `random.py` or `torch.py` would be run in a module's place. Here nothing is found by `-A`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

from celery import Celery

from .celery_app import run_command_line


def run(arguments: Sequence[str]) -> NoReturn:
    """Run Celery's command line with the app of this room."""
    run_command_line(_app, arguments)


def _app() -> Celery:
    from .app import app  # here: it reads the settings

    return app


if __name__ == "__main__":
    run(sys.argv[1:])
