"""Run workers: who lives, and what becomes of the steps of one that is gone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json, to_json

from .call import Call, call_script
from .keys import Keys
from .runs import pairs
from .settings import JobsSettings

#: The form in which steps and their parts are written down, which a run worker says that it reads:
#: from 2 on a part tells its last unit, and a run may have a step `follow`.
STEP_FORMAT = 2


def beat(worker: str, info: dict[str, Any], settings: JobsSettings) -> Call[None]:
    """Say that a run worker lives, and who it is."""
    key = Keys(settings.key_prefix).run_workers
    said = to_json({**info, "step_format": STEP_FORMAT})
    return Call([("HSET", key, worker, said)], parse=lambda _: None)


def is_older(said: Mapping[str, Any]) -> bool:
    """Whether a run worker cannot read the steps that this version writes."""
    return int(said.get("step_format", 1)) < STEP_FORMAT


def run_workers(settings: JobsSettings) -> Call[dict[str, dict[str, Any]]]:
    """Run workers that have not said goodbye, as they were last heard of."""
    key = Keys(settings.key_prefix).run_workers
    return Call(
        [("HGETALL", key)],
        parse=lambda reply: {w.decode(): from_json(info) for w, info in pairs(reply)},
    )


def lose_worker(worker: str, settings: JobsSettings) -> Call[int]:
    """Let the steps of a run worker that is gone be taken at once. Answers how many."""
    keys = Keys(settings.key_prefix)
    return call_script(
        "run_lost",
        settings,
        keys={"leases": keys.run_leases, "workers": keys.run_workers},
        args={"worker": worker},
        parse=int,
    )
