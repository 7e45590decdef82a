"""A ticket: an ordinary Celery message that sends one worker to one group.

Written by Lua in the same step as the job it announces, so it is built here, ready-made: Celery's
message protocol 2 inside kombu's Redis envelope.
"""

from __future__ import annotations

import base64
import functools
import json
import os

#: The Celery task that a ticket starts.
TASK = "wherry.run_batch"

#: The one that a run worker's ticket starts.
RUN_TASK = "wherry.run_step"

_ID = "00000000-0000-0000-0000-000000000000"
_TAG = "11111111-1111-1111-1111-111111111111"


@functools.lru_cache(maxsize=4096)
def _around(family: str, group_id: str, queue_key: str, task: str) -> tuple[str, ...]:
    """The message around its two ids: the task id, which it says three times, and the tag."""
    embed = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    body = json.dumps([[family, group_id], {}, embed]).encode()
    message = {
        "body": base64.b64encode(body).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py",
            "task": task,
            "id": _ID,
            "root_id": _ID,
            "parent_id": None,
            "group": None,
            "retries": 0,
            "timelimit": [None, None],
            "argsrepr": repr((family, group_id)),
            "kwargsrepr": "{}",
            "origin": "wherry",
            "ignore_result": True,
        },
        "properties": {
            "correlation_id": _ID,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": queue_key},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": _TAG,
        },
    }
    return tuple(json.dumps(message).replace(_TAG, _ID).split(_ID))


def ticket(family: str, group_id: str, queue_key: str, task: str = TASK) -> str:
    """Make a message for the family's queue, with ids of its own."""
    # One random number serves both ids: they name the same delivery.
    return os.urandom(16).hex().join(_around(family, group_id, queue_key, task))
