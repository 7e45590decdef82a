"""What was found, for people and for programs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rich.markup import escape

from ...client.terminal import stdout
from .diagnosis import ERROR, NOTE, WARNING, Diagnosis
from .facts import Facts, RedisFacts
from .fleet_checks import fleet_findings
from .place_checks import api_findings, store_findings
from .redis_checks import redis_findings

_ORDER = (ERROR, WARNING, NOTE)
#: What a measurement's name ends in, for programs.
_UNIT = re.compile("_(bytes|ms|s)$")

_COLOURS = {ERROR: "red", WARNING: "yellow", NOTE: "cyan"}


def findings(facts: Facts) -> list[Diagnosis]:
    """What is wrong, the worst first."""
    rooms = (redis_findings, store_findings, api_findings, fleet_findings)
    found = [finding for room in rooms for finding in room(facts)]
    return sorted(found, key=lambda each: _ORDER.index(each.severity))


def document(facts: Facts, found: list[Diagnosis]) -> dict[str, Any]:
    """All of it, as JSON."""
    return {
        "ok": not any(each.severity is ERROR for each in found),
        "versions": facts.versions,
        "processes": [
            {
                "kind": each.kind,
                "id": each.id,
                "alive": each.alive,
                "version": each.build.version or None,
                "queue_format": [each.build.oldest, each.build.newest],
                "clock_ahead_s": each.ahead_s,
            }
            for each in (facts.fleet.parties if facts.fleet else ())
        ],
        "measured": dict(_measured(facts)),
        "findings": [each.document() for each in found],
    }


def _measured(facts: Facts) -> Iterator[tuple[str, Any]]:
    for redis in (facts.redis, *facts.family_redis):
        if redis is not None:
            of = f" of {redis.name}" if redis.name else ""
            for name, value in _measured_of(redis):
                yield name + of, value
    if facts.store:
        for name, latency in facts.store.latency.items():
            yield f"store_{name}_latency_ms", [latency.p50_ms, latency.p99_ms]
    for disk in facts.disks:
        yield f"free_bytes of {disk.what}", disk.free


def _measured_of(redis: RedisFacts) -> Iterator[tuple[str, Any]]:
    yield "redis_latency_ms", [redis.latency.p50_ms, redis.latency.p99_ms]
    yield "redis_used_bytes", redis.info.get("used_memory")
    yield "redis_maxmemory_bytes", redis.info.get("maxmemory")
    yield "redis_maxmemory_policy", redis.info.get("maxmemory_policy")
    yield "redis_aof", bool(redis.info.get("aof_enabled"))
    yield "redis_appendfsync", (redis.config or {}).get("appendfsync")
    yield "redis_replicas", redis.info.get("connected_slaves", 0)
    yield "redis_clients", [redis.info.get("connected_clients"), redis.info.get("maxclients")]
    yield "clock_ahead_s", round(redis.ahead_s, 3)


def _in_words(name: str, value: Any) -> str:
    """A measurement for people, with its unit."""
    if value is None:
        return "not told"
    if name.endswith("_latency_ms"):
        half, most = value
        return f"{half:.3g} ms (median), {most:.3g} ms (p99)"
    if name.endswith("_bytes"):
        return (
            "no limit"
            if name == "redis_maxmemory_bytes" and not value
            else f"{value / 1e6:,.0f} MB"
        )
    if name == "redis_clients":
        return " of ".join(str(each) for each in value)
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:+.3f} s" if name == "clock_ahead_s" else str(value)


def show(facts: Facts, found: list[Diagnosis]) -> None:
    """Print it for people."""

    def line(text: str) -> None:
        stdout.print(text, highlight=False, soft_wrap=True)

    installed = [f"{name} {version or 'not installed'}" for name, version in facts.versions.items()]
    line(f"[bold]versions[/]  {escape(', '.join(installed))}")
    for name, value in _measured(facts):
        named, _, of = name.partition(" ")
        title = _UNIT.sub("", named).replace("_", " ") + (f" {of}" if of else "")
        line(f"[bold]{escape(title)}[/]  {escape(_in_words(named, value))}")
    for each in found:
        colour = _COLOURS[each.severity]
        line(f"\n[{colour}]{each.severity}[/]  {each.check}: {escape(each.found)}")
        line(f"  means:  {escape(each.means)}")
        line(f"  remedy: {escape(each.remedy)}")
        line(f"  see:    {each.page}")
    counts = [(name, sum(each.severity is name for each in found)) for name in _ORDER]
    told = ", ".join(f"{n} {name}{'' if n == 1 else 's'}" for name, n in counts if n)
    line(f"\n{told or 'nothing is wrong'}")
