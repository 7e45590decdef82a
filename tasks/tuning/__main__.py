"""The process that tries: `python -P -m wherry.tasks.tuning`, a plan as a line on its standard
input. It says what it finds on standard output, a line of JSON each, and ends with its starter.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from typing import IO, Any

from .trial import Trial, TrialPlan

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Try, and say what is found."""
    if sys.platform == "linux":  # a runtime may hold the interpreter for minutes
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # Libraries print what they like: only lines of ours go to the starter.
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    plan = TrialPlan.read(json.loads(sys.stdin.readline()))
    threading.Thread(target=_end_with, args=(sys.stdin,), daemon=True).start()

    def say(event: Mapping[str, Any]) -> None:
        told.write(json.dumps(event) + "\n")
        told.flush()

    try:
        Trial(plan, say).run()
    except Exception as error:  # the starter says it to the operator
        say({"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"})
    say({"done": True})
    os._exit(0)  # some runtimes crash as they are taken down


def _end_with(starter: IO[str]) -> None:
    """End when the starter is gone, whose end of the pipe is closed then."""
    starter.read()
    os._exit(1)


if __name__ == "__main__":
    main()
