"""`python -P -m wherry.workers.health [--ready] [FILE]`: whether a worker is alive, or ready.

For the probes of containers: no third package, no connection. It reads what the worker itself keeps
in `WHERRY_HEALTH_FILE` (health_file.py), so that Redis being away is no reason to end a worker,
which would lose the batches that it holds until Redis is back.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

#: Seconds without a word after which a process counts as frozen. Imports may hold its threads up.
STALE_S = 30.0

#: Seconds without a look at the fleet; looks are two seconds apart at most.
LOOK_S = 60.0

#: Leases that a heartbeat may be missed in Redis while Redis answers.
LEASES = 3

READY, LOADING = "ready", "loading"


def not_alive(said: Mapping[str, Any], now_s: float) -> str:
    """Why a worker is not alive; "" if it is. `now_s` is of the machine's monotonic clock."""
    silent_s = now_s - float(said["at_s"])
    if not 0 <= silent_s <= STALE_S:
        return f"the process has not said a word for {silent_s:.0f} s"
    if said["state"] == LOADING or said["away"]:
        return ""  # it waits for what a fresh process would wait for, too
    if (look_s := now_s - float(said["looked_at_s"])) > LOOK_S:
        return f"the keeper has not looked at the fleet for {look_s:.0f} s"
    beat_s = float(said["looked_at_s"]) - float(said["beat_at_s"])
    if beat_s > LEASES * float(said["lease_s"]):
        return f"no heartbeat has reached Redis for {beat_s:.0f} s"
    if deaf_s := float(said["deaf_s"]):
        return f"the consumer was restarted, and no ticket came for {deaf_s:.0f} s while jobs wait"
    return ""


def not_ready(said: Mapping[str, Any], now_s: float) -> str:
    """Why a worker takes no jobs now; "" if it does."""
    if why := not_alive(said, now_s):
        return why
    if said["away"]:
        return "Redis is away"
    if said["state"] != READY:
        return f"{said['state']}: {said['reason']}" if said["reason"] else str(said["state"])
    return "" if said["serves"] else "it serves no model: none could be loaded"


def read(path: str) -> dict[str, Any]:
    """What the worker said last. Raises OSError, ValueError."""
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 # pathlib takes as long as all else
        said: dict[str, Any] = json.load(file)
    return said


def main(arguments: Sequence[str]) -> int:
    """Exit status 0, or 1 with the reason."""
    ready = "--ready" in arguments
    paths = [each for each in arguments if each != "--ready"]
    path = paths[0] if paths else os.environ.get("WHERRY_HEALTH_FILE", "")
    if not path:
        why = "WHERRY_HEALTH_FILE is not set: the worker keeps no file to judge by"
    else:
        try:
            why = (not_ready if ready else not_alive)(read(path), time.monotonic())
        except OSError as error:
            why = f"{path}: {error.strerror}: no worker keeps it, or it has only begun"
        except (ValueError, KeyError, TypeError):
            why = f"{path} is not a worker's"
    print(why or ("ready" if ready else "alive"))  # noqa: T201 # this is what the command is for
    return 1 if why else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
