"""The fleet's processes, its models and what waits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from ...jobs import clocks, queue_format
from .diagnosis import ERROR, NOTE, WARNING, Diagnosis
from .facts import Facts, FleetFacts
from .parties import Party

_WORKERS, _UPGRADES = "docs/operations.md#workers", "docs/upgrading.md"
_MODELS = "docs/operations.md#models-that-cannot-be-loaded"

#: Seconds that the oldest job of each lane may wait before somebody should look.
_PATIENCE_S = {"interactive": 60.0, "bulk": 6 * 3600.0}

#: Share of a process' open files at which somebody should look.
_LOOK = 0.75


def fleet_findings(facts: Facts) -> Iterator[Diagnosis]:
    """All that is wrong with processes, models and queues."""
    fleet = facts.fleet
    if fleet is None:
        return
    if not fleet.parties:
        yield Diagnosis(
            check="fleet-empty",
            severity=ERROR,
            found=f"no API or worker under the prefix {facts.key_prefix!r} of this Redis",
            means="nothing takes jobs or runs them, or this is not the fleet's Redis",
            remedy="start them, or set the fleet's WHERRY_REDIS_URL and WHERRY_KEY_PREFIX",
            page=_WORKERS,
        )
    for check in (_dead_workers, _idle, _clocks, _files, _builds, _settings, _declarations):
        yield from check(fleet)
    yield from _models(fleet)
    yield from _waiting(fleet)


def _alive(fleet: FleetFacts) -> list[Party]:
    return [each for each in fleet.parties if each.alive]


def _dead_workers(fleet: FleetFacts) -> Iterator[Diagnosis]:
    others = any(each.alive and each.kind == "worker" for each in fleet.parties)
    for each in fleet.parties:
        if each.alive or each.kind == "api":
            continue
        holds = f", which holds {each.running} jobs" if each.running else ""
        yield Diagnosis(
            check="worker-dead",
            severity=WARNING if others or not each.running else ERROR,
            found=f"{each.kind} {each.id} is dead{holds}",
            means="a keeper takes its jobs back within a lease, while some worker lives",
            remedy="start it again, or any worker; see the end of its log",
            page=_WORKERS,
        )


def _idle(fleet: FleetFacts) -> Iterator[Diagnosis]:
    for each in _alive(fleet):
        state = each.info.get("state")
        if state == "draining":
            yield Diagnosis(
                check="worker-drained",
                severity=NOTE,
                found=f"{each.name} claims no more ({each.running} jobs run)",
                means="an operator drained it, or it is being stopped",
                remedy=f"wherry undrain {each.info.get('node')}",
                page="docs/operations.md#workers-that-are-to-claim-no-more",
            )
        elif each.reason and (state == "waiting" or each.kind == "api"):
            yield Diagnosis(
                check="idle",
                severity=ERROR,
                found=f"{each.name} serves nothing: {each.reason}",
                means="others do its work, if there are any",
                remedy="mend what it names",
                page=_WORKERS,
            )


def _clocks(fleet: FleetFacts) -> Iterator[Diagnosis]:
    for each in _alive(fleet):
        if each.ahead_s is not None and abs(each.ahead_s) > clocks.APART_S:
            yield Diagnosis(
                check="clock",
                severity=WARNING,
                found=f"the clock of {each.name} is {clocks.in_words(each.ahead_s)}",
                means="times and ages that it tells are wrong by as much; leases are by Redis' own",
                remedy="set both by NTP",
                page=_WORKERS,
            )


def _files(fleet: FleetFacts) -> Iterator[Diagnosis]:
    for each in _alive(fleet):
        if each.descriptors and each.descriptors[0] >= _LOOK * each.descriptors[1]:
            used, limit = each.descriptors
            yield Diagnosis(
                check="open-files",
                severity=WARNING,
                found=f"{each.name} has {used} of {limit} files open",
                means="beyond that it can open neither files nor connections",
                remedy="raise its limit of open files (LimitNOFILE= of systemd, ulimit -n)",
                page=_WORKERS,
            )


def _builds(fleet: FleetFacts) -> Iterator[Diagnosis]:
    versions: dict[str, list[str]] = defaultdict(list)
    for each in _alive(fleet):
        versions[each.build.version or "before versions were told"].append(each.name)
        if apart := queue_format.OURS.why_not(each.build, each.name):
            yield Diagnosis(
                check="queue-format",
                severity=ERROR,
                found=f"this command cannot read the queue of {each.name}: {apart}",
                means="what it says of jobs may be wrong",
                remedy="run the doctor of that version",
                page=_UPGRADES,
            )
    if len(versions) > 1:
        told = "; ".join(
            f"{version}: {', '.join(who)}" for version, who in sorted(versions.items())
        )
        yield Diagnosis(
            check="versions",
            severity=WARNING,
            found=f"several versions: {told}",
            means="one version back works together; what is new is passed over by the older ones",
            remedy="end the upgrade, workers first, then APIs",
            page=_UPGRADES,
        )


def _settings(fleet: FleetFacts) -> Iterator[Diagnosis]:
    said = {
        each.name: each.info["settings"]
        for each in _alive(fleet)
        if isinstance(each.info.get("settings"), dict)
    }
    for name in sorted({name for each in said.values() for name in each}):
        values = _by_value({who: each.get(name, "the default") for who, each in said.items()})
        if len(values) > 1:
            yield Diagnosis(
                check="settings",
                severity=WARNING,
                found=f"WHERRY_{name.upper()} is {_told(values)}",
                means="which holds for a job depends on who has it in hand",
                remedy="give all processes the same",
                page="docs/settings.md",
            )


def _declarations(fleet: FleetFacts) -> Iterator[Diagnosis]:
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for each in _alive(fleet):
        for model_id, digest in (each.info.get("declared") or {}).items():
            found[model_id][each.name] = digest
    for model_id, who in sorted(found.items()):
        values = _by_value(who)
        if len(values) > 1:
            yield Diagnosis(
                check="models-file",
                severity=WARNING,
                found=f"model {model_id} is declared otherwise by {_told(values)}",
                means="requests are checked against one declaration and run by another",
                remedy="give all the same models.toml, then wherry reload",
                page="docs/live-models.md",
            )


def _by_value(said: Mapping[str, Any]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = defaultdict(list)
    for who, value in said.items():
        values[str(value)].append(who)
    return values


def _told(values: Mapping[str, list[str]]) -> str:
    return "; ".join(f"{value} at {', '.join(who)}" for value, who in sorted(values.items()))


def _models(fleet: FleetFacts) -> Iterator[Diagnosis]:
    waiting = {group.group.model_id for group in fleet.groups if group.waiting}
    for model_id in sorted(fleet.declared):
        name, failed = model_id.rpartition("/")[0], fleet.view.failed.get(model_id)
        if not failed and (name in fleet.view.unloaded or _has_worker(fleet, model_id)):
            continue
        yield Diagnosis(
            check="model-unserved",
            severity=ERROR if failed or model_id in waiting else WARNING,
            found=f"model {model_id} is not served: {failed or 'no worker has it'}",
            means="its jobs are refused" if failed else "its jobs wait",
            remedy=f"mend it, then wherry load {name}"
            if failed
            else "start a worker of its family: wherry worker FAMILY",
            page=_MODELS,
        )


def _has_worker(fleet: FleetFacts, model_id: str) -> bool:
    alive = (worker for worker in fleet.view.workers if worker.alive)
    return any(worker.serves(model_id) or worker.loads(model_id) for worker in alive)


def _waiting(fleet: FleetFacts) -> Iterator[Diagnosis]:
    for seen in sorted(fleet.groups, key=lambda each: -each.oldest_s):
        if seen.oldest_s > _PATIENCE_S[seen.group.lane]:
            yield Diagnosis(
                check="oldest-waiting",
                severity=WARNING,
                found=f"{seen.waiting} jobs of {seen.group.id} wait, the oldest for"
                f" {seen.oldest_s:.0f} s",
                means="too few workers, or none that hears",
                remedy="add workers; wherry workers shows who serves the model",
                page="docs/operations.md#a-consumer-that-hears-nothing",
            )
    if fleet.dead:
        yield Diagnosis(
            check="dead-letters",
            severity=WARNING,
            found=f"{fleet.dead} dead letters",
            means="jobs whose worker died each time they ran; their payloads are kept",
            remedy="wherry dead list, then replay or drop them",
            page="docs/dead-letters.md",
        )
    if fleet.webhooks_failed:
        yield Diagnosis(
            check="webhooks-failed",
            severity=WARNING,
            found=f"{fleet.webhooks_failed} webhooks were given up",
            means="their receivers were not told of their jobs' ends",
            remedy="wherry webhooks list, then retry",
            page="docs/outbound.md",
        )
