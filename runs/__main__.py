"""`python -P -m wherry.runs worker -Q runs ...`: Celery's command line with the app of runs.

What keeps files of the current folder out is as in `wherry.workers`.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

from celery.bin.celery import celery

from ..jobs.settings import SettingsError
from ..workers.threads import EXIT_UNUSABLE


def run(arguments: Sequence[str]) -> NoReturn:
    """Run Celery's command line, and exit with its status, which `app.worker_main` drops."""
    # Celery warns of root because of pickle, which our workers refuse.
    warnings.filterwarnings("ignore", "You're running the worker with superuser")
    try:
        from .app import app
    except SettingsError as error:  # the settings are read with the app
        sys.stderr.writelines(f"error: {line}\n" for line in str(error).splitlines())
        sys.exit(EXIT_UNUSABLE)
    celery.params[0].default = app
    celery.main(args=list(arguments), prog_name="celery")
    sys.exit(0)


if __name__ == "__main__":
    run(sys.argv[1:])
