"""`python -P -m wherry.runs worker -Q runs ...`: Celery's command line with the app of runs.

What keeps files of the current folder out is as in `wherry.workers`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

from celery import Celery

from ..workers.celery_app import run_command_line


def run(arguments: Sequence[str]) -> NoReturn:
    """Run Celery's command line with the app of this room."""
    run_command_line(_app, arguments)


def _app() -> Celery:
    from .app import app  # here: it reads the settings

    return app


if __name__ == "__main__":
    run(sys.argv[1:])
