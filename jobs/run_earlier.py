"""Which earlier runs a run may have answers of, and where in the store they are."""

from __future__ import annotations

from .call import Call, call_script
from .keys import Keys
from .run_spec import RunSpec
from .settings import JobsSettings


def earlier_runs(spec: RunSpec, origin: str, most: int, settings: JobsSettings) -> Call[list[str]]:
    """Ids of a tenant's other runs that have ended, newest first, and are of an origin."""
    return call_script(
        "run_earlier",
        settings,
        keys={"index": Keys(settings.key_prefix).runs(spec.tenant)},
        args={"id": spec.id, "origin": origin, "most": most},
        parse=lambda reply: [run.decode() for run in reply],
    )


def segments_of_shard(run_id: str, number: int, settings: JobsSettings) -> Call[list[str]]:
    """Names of the segments that the store has of one shard, in their order."""
    key = Keys(settings.key_prefix).run(run_id, "segments")
    return Call(
        [("HGET", key, number)],
        parse=lambda reply: [] if reply is None else reply.decode().split(),
    )
