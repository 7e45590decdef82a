"""The processes of a fleet, as they say who they are, and how far their clocks are off."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from redis import RedisError

from ...jobs.call import Call, Queue, translate
from ...jobs.fleet import FleetView
from ...jobs.keys import Keys
from ...jobs.processes import is_silent
from ...jobs.proof import GONE_S
from ...jobs.queue_format import Build
from ...jobs.run_workers import run_workers
from ...jobs.settings import JobsSettings
from ...workers.identity import is_here

Kind = Literal["worker", "run worker", "api"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A process of the fleet."""

    kind: Kind
    id: str
    info: Mapping[str, Any]
    alive: bool
    running: int = 0
    #: Seconds that its clock is ahead of Redis'; None where nobody can tell.
    ahead_s: float | None = None
    #: Open and allowed file descriptors, where it runs on this machine.
    descriptors: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """What an operator calls it."""
        if self.kind == "api":
            return f"API on {self.info.get('host', '?')} ({self.id[:8]})"
        return f"{self.kind} {self.info.get('node') or self.id}"

    @property
    def build(self) -> Build:
        """Its version and queue formats."""
        return Build.of(self.info)

    @property
    def reason(self) -> str:
        """Why it serves nothing, or takes no jobs."""
        return str(self.info.get("refused") or self.info.get("reason") or "")


def parties(seen: Sequence[tuple[Queue, FleetView]], settings: JobsSettings) -> tuple[Party, ...]:
    """Workers by their Redis, home first, where run workers and APIs are. Raises Unavailable."""
    home, fleet = seen[0]
    return (
        *(each for queue, view in seen for each in _workers(queue, settings, view)),
        *_run_workers(home, settings, fleet.now_ms),
        *_apis(home, settings, fleet.now_ms),
    )


def _workers(queue: Queue, settings: JobsSettings, fleet: FleetView) -> list[Party]:
    keys = Keys(settings.key_prefix)
    found = []
    for worker in fleet.workers:
        said, left_ms, (seconds, micros) = _at_once(
            queue, ("GET", keys.alive(worker.id)), ("PTTL", keys.alive(worker.id)), ("TIME",)
        )
        info = json.loads(said) if said else dict(worker.info)
        now_ms = int(seconds) * 1000 + int(micros) / 1000
        found.append(
            Party(
                kind="worker",
                id=worker.id,
                info=info,
                alive=bool(said),
                running=worker.running,
                ahead_s=_ahead_s(info, _came_ms(info, left_ms, now_ms)),
                descriptors=_descriptors(info),
            )
        )
    return found


def _at_once(queue: Queue, *commands: tuple[str, ...]) -> list[Any]:
    """Replies of one instant."""
    try:
        with queue.redis.pipeline(transaction=True) as pipe:
            for command in commands:
                pipe.execute_command(*command)
            replies: list[Any] = pipe.execute()
            return replies
    except RedisError as error:
        raise translate(error) from error


def _came_ms(info: Mapping[str, Any], left_ms: int, now_ms: float) -> float | None:
    """When a heartbeat came to Redis: its time to live began then, and is a lease."""
    shared = info.get("settings")
    if left_ms <= 0 or not isinstance(shared, dict):
        return None  # gone, or of an earlier version: how long its lease is, nobody says
    lease_s = float(shared.get("lease_ttl_s", JobsSettings.model_fields["lease_ttl_s"].default))
    return now_ms - (1000 * lease_s - left_ms)


def _run_workers(queue: Queue, settings: JobsSettings, now_ms: int) -> list[Party]:
    """Nothing says when its word came; it is some second old, so a clock that is ahead shows."""
    found = []
    for worker, info in queue.run(run_workers(settings)).items():
        silent_s = (now_ms - int(info.get("seen_at_ms", 0))) / 1000
        found.append(
            Party(
                kind="run worker",
                id=worker,
                info=info,
                alive=not is_silent(info, now_ms, settings),
                running=int(info.get("running", 0)),
                ahead_s=-silent_s if silent_s < 0 else None,
                descriptors=_descriptors(info),
            )
        )
    return found


def _apis(queue: Queue, settings: JobsSettings, now_ms: int) -> list[Party]:
    raw = queue.run(Call([("HGETALL", Keys(settings.key_prefix).apis)], parse=dict))
    found = []
    for api, said in raw.items():
        came_ms, _, text = said.decode().partition(" ")
        about = json.loads(text)
        info = about.get("process", {})
        found.append(
            Party(
                kind="api",
                id=api.decode(),
                info={**info, "tasks": {k: v for k, v in about.items() if "/" in k}},
                alive=now_ms - int(came_ms) < GONE_S * 1000,
                ahead_s=_ahead_s(info, int(came_ms)),
                descriptors=_descriptors(info),
            )
        )
    return found


def _ahead_s(info: Mapping[str, Any], came_ms: float | None) -> float | None:
    said = info.get("seen_at_ms")
    return None if came_ms is None or not isinstance(said, int) else (said - came_ms) / 1000


def _descriptors(info: Mapping[str, Any]) -> tuple[int, int] | None:
    return descriptors_of(int(info["pid"])) if is_here(info) else None


def descriptors_of(pid: int) -> tuple[int, int] | None:
    """How many files a process of this machine has open, and may have; None where not told."""
    try:
        used = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        limits = Path(f"/proc/{pid}/limits").read_text()
    except OSError:
        return None
    line = next((each for each in limits.splitlines() if each.startswith("Max open files")), "")
    soft = line.removeprefix("Max open files").split()[:1]
    return (used, int(soft[0])) if soft and soft[0].isdigit() else None
