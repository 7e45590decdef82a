"""An operator's word to a worker, wherever it runs: claim no more until told otherwise."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from .call import Call
from .keys import Keys
from .reach import RedisAway, answers_of_present, of_all, of_family
from .settings import JobsSettings

#: Seconds that the word holds where nobody hears it. A worker that does makes it last, so that one
#: which is started again under its name, as on a machine that is mended, stays drained.
KEPT_S = 7 * 86_400


class Drain(NamedTuple):
    """What was asked of the workers of a Celery node name."""

    #: Id of the worker that is to end once nothing runs there; "" where it stays up.
    ends: str = ""


def ask_drain(node: str, settings: JobsSettings, *, ends: str = "", family: str = "") -> Call[None]:
    """Have a node's worker claim no more; `ends` names the one that is to end then.

    `family` is one that it serves, on whose Redis it listens; "" for home.
    """
    asked = ("SET", Keys(settings.key_prefix).drain(node), json.dumps({"ends": ends}), "EX", KEPT_S)
    return Call([asked], parse=lambda _: None, reach=of_family(family))


def drain_asked(node: str, settings: JobsSettings) -> Call[Drain | None]:
    """What was asked of a node, for its worker: it makes the word last."""
    return Call([("GETEX", Keys(settings.key_prefix).drain(node), "EX", KEPT_S)], parse=_drain)


def undrain(node: str, settings: JobsSettings) -> Call[bool]:
    """Take the word back. Answers whether there was one."""
    return Call(
        [("DEL", Keys(settings.key_prefix).drain(node))], parse=bool, reach=of_all(_any_had_it)
    )


def _any_had_it(answers: Sequence[bool | Exception]) -> bool:
    """Whether any had the word. Raises RedisAway where none had and one is away."""
    had, away = answers_of_present(answers)
    if away and not any(had):
        raise RedisAway(away)
    return any(had)


def _drain(reply: bytes | None) -> Drain | None:
    return Drain(str(json.loads(reply).get("ends", ""))) if reply else None
