"""An operator's word to a worker, wherever it runs: claim no more until told otherwise."""

from __future__ import annotations

import json
from typing import NamedTuple

from .call import Call
from .keys import Keys
from .settings import JobsSettings

#: Seconds that the word holds where nobody hears it. A worker that does makes it last, so that one
#: which is started again under its name, as on a machine that is mended, stays drained.
KEPT_S = 7 * 86_400


class Drain(NamedTuple):
    """What was asked of the workers of a Celery node name."""

    #: Id of the worker that is to end once nothing runs there; "" where it stays up.
    ends: str = ""


def ask_drain(node: str, settings: JobsSettings, *, ends: str = "") -> Call[None]:
    """Have a node's worker claim no more; `ends` names the one that is to end then."""
    asked = ("SET", Keys(settings.key_prefix).drain(node), json.dumps({"ends": ends}), "EX", KEPT_S)
    return Call([asked], parse=lambda _: None)


def drain_asked(node: str, settings: JobsSettings) -> Call[Drain | None]:
    """What was asked of a node, for its worker: it makes the word last."""
    return Call([("GETEX", Keys(settings.key_prefix).drain(node), "EX", KEPT_S)], parse=_drain)


def undrain(node: str, settings: JobsSettings) -> Call[bool]:
    """Take the word back. Answers whether there was one."""
    return Call([("DEL", Keys(settings.key_prefix).drain(node))], parse=bool)


def _drain(reply: bytes | None) -> Drain | None:
    return Drain(str(json.loads(reply).get("ends", ""))) if reply else None
