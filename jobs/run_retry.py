"""Runs that ended without an output, and are let go on from what they have."""

from __future__ import annotations

from .call import Call, call_script
from .keys import Keys
from .run_spec import RunSpec
from .runs import FAMILY, accepted, run_ticket
from .settings import JobsSettings


def retry_run(
    spec: RunSpec,
    settings: JobsSettings,
    *,
    token: str = "",
    key_id: str = "",
    key_text: str = "",
) -> Call[bool]:
    """Let a run go on that failed, was canceled or expired; False for any other.

    A key is as for `create_run`. Its deadline counts from now. Raises Conflict while an export of
    it is made, where it is past its limits, and while another run writes to its `out`.
    """
    keys, deadline_s = Keys(settings.key_prefix), spec.deadline_s
    refusals = {code: f"run {spec.id!r} {why}" for code, why in _WHY.items()}
    return call_script(
        "run_retry",
        settings,
        keys={
            "run": keys.run(spec.id),
            "api_keys": keys.api_keys,
            "queue": FAMILY,
            "outs": keys.run_outs,
            "expiring": keys.expiring("run"),
            "live": keys.runs_live,
            "deadlines": keys.run_deadlines,
        },
        args={
            "id": spec.id,
            "token": token,
            "key_id": key_id,
            "key": key_text,
            "deadline_ms": "" if deadline_s is None else int(deadline_s * 1000),
            "ticket": run_ticket(),
        },
        parse=lambda reply: accepted(reply, refusals),
    )


_WHY = {
    -1: "is being exported: wait for that, then retry it",
    -2: "is past max_errors or max_device_seconds: clone it with others; answered rows are reused",
    -3: "writes to an out to which another run writes that has not ended: wait for its end",
}
