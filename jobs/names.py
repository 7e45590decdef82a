"""Names that clients give: an id or an Idempotency-Key stands for one job on all Redis servers.

On one Redis submit itself sees to that. Where families have their own, home holds each name for the
Redis to which its job goes, so that of two that come at once one is refused; and older jobs are
looked for on all.
"""

from __future__ import annotations

from typing import Any

from .call import Call, call_script
from .keys import Keys
from .record import NewJob
from .settings import JobsSettings

#: Seconds that a name is held: longer than any submit takes. A job that is there is found later.
HELD_S = 600


def hold(job: NewJob, holder: str, settings: JobsSettings) -> Call[str]:
    """Hold a job's names. Answers another holder of one of them; "" where there is none."""
    keys = Keys(settings.key_prefix)
    names = [keys.held(f"id:{job.id}")]
    if job.idempotency_key:
        names.append(keys.held(f"key:{job.idempotency_key}"))
    return call_script(
        "hold",
        settings,
        keys={"names": names},
        args={"holder": holder, "ttl_s": HELD_S},
        parse=lambda reply: str(reply.decode()),
    )


def known(job: NewJob, settings: JobsSettings) -> Call[tuple[str, str] | None]:
    """The job that a job's names stand for already, by its id and fingerprint; None for none.

    A Redis that is away is passed over.
    """
    keys = Keys(settings.key_prefix)
    return call_script(
        "known",
        settings,
        keys={
            "idempotency": keys.idempotency(job.idempotency_key) if job.idempotency_key else "",
        },
        args={"id": job.id},
        parse=_known,
    )


def _known(reply: list[Any] | None) -> tuple[str, str] | None:
    return None if reply is None else (reply[0].decode(), reply[1].decode())
