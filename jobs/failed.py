"""Models that could not be loaded: what the fleet is told of them, and another try."""

from __future__ import annotations

import time
from collections.abc import Mapping

from .call import Call, call_script
from .keys import Keys
from .reach import everywhere, of_all
from .settings import JobsSettings

#: Stands for every model of models.toml in what is asked to be loaded; no model has such a name.
ALL = "*"

#: Seconds for which a load that was begun and never ended is held against its model.
_REMEMBERED_S = 3600


def not_loaded(model: str, reason: str) -> str:
    """What a client is told of a model that failed."""
    return f"model {model!r} could not be loaded: {reason}"


def set_failed(reasons: Mapping[str, str], settings: JobsSettings) -> Call[None]:
    """Close these models, by model/version, to submissions and open all others.

    It holds for a lease's time: who says so must go on saying it.
    """
    words = [word for pair in reasons.items() for word in pair]
    return call_script(
        "failed",
        settings,
        keys={"failed": Keys(settings.key_prefix).failed},
        args={
            "ttl_ms": int(settings.lease_ttl_s * 1000),
            "reasons": words,
        },
        parse=lambda _: None,
    )


def set_cold(load_ms: Mapping[str, int], settings: JobsSettings) -> Call[None]:
    """Say how long these models, by model/version, take to load, which no worker has loaded.

    It holds for a lease's time, as what `set_failed` says.
    """
    return call_script(
        "failed",
        settings,
        keys={"failed": Keys(settings.key_prefix).cold},
        args={
            "ttl_ms": int(settings.lease_ttl_s * 1000),
            "reasons": [word for pair in load_ms.items() for word in pair],
        },
        parse=lambda _: None,
    )


def ask_load(model: str, settings: JobsSettings) -> Call[int]:
    """Ask the fleet to load what models.toml says of a model now, or of `ALL`.

    Answers the number of the request, which is above those before it. Where families have a Redis
    of their own it is the time: all are to have the same.
    """
    key = Keys(settings.key_prefix).load_requests
    if not settings.own_redis:
        return Call([("HINCRBY", key, model, 1)], parse=int)
    now_ms = time.time_ns() // 1_000_000
    asked = ("HSET", key, model, now_ms)
    return Call([asked], parse=lambda _: now_ms, reach=of_all(everywhere))


def load_requests(settings: JobsSettings) -> Call[dict[str, int]]:
    """How often each was asked for."""
    asked = ("HGETALL", Keys(settings.key_prefix).load_requests)
    return Call([asked], parse=lambda reply: {k.decode(): int(v) for k, v in reply.items()})


def begin_load(node: str, model_id: str, settings: JobsSettings) -> Call[int]:
    """Note that a node begins to load a model. Answers how many loads before this never ended."""
    key = Keys(settings.key_prefix).loading(node, model_id)
    noted = [("SET", key, 0, "NX", "EX", _REMEMBERED_S), ("INCR", key)]
    return Call(noted, parse=lambda count: int(count) - 1)


def end_load(node: str, model_id: str, settings: JobsSettings) -> Call[None]:
    """Note that a load has ended, one way or the other."""
    key = Keys(settings.key_prefix).loading(node, model_id)
    return Call([("DEL", key)], parse=lambda _: None)
