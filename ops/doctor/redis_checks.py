"""What Redis should be like for a fleet to lose nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...jobs import clocks
from ...jobs.hand_over import HASTY_MS
from .diagnosis import ERROR, NOTE, WARNING, Diagnosis
from .facts import Facts, RedisFacts

_PAGE = "docs/operations.md#redis"

#: The first version that has what the scripts need.
_OLDEST = 7

#: Shares of a limit at which somebody should look, and at which it is late.
_LOOK, _LATE = 0.75, 0.9

#: Ms that half of the calls may take: each claim and finish is one.
_SLOW_MS = 5.0

#: Seconds that a replica may lag.
_LAG_S = 10


def redis_findings(facts: Facts) -> Iterator[Diagnosis]:
    """All that is wrong with Redis."""
    if facts.redis is None:
        yield Diagnosis(
            check="redis-away",
            severity=ERROR,
            found=facts.fault,
            means="nothing is accepted, claimed or finished until it answers",
            remedy="start it, or set WHERRY_REDIS_URL to the fleet's; of `wherry up`'s:"
            " wherry --env-file .wherry/fleet.env doctor",
            page=_PAGE,
        )
        return
    yield from _findings(facts.redis)
    for server in facts.family_redis:
        for each in _findings(server):
            yield replace(each, found=f"the Redis of {server.name}: {each.found}")
    for families, why in facts.away.items():
        yield Diagnosis(
            check="redis-away",
            severity=ERROR,
            found=f"the Redis of {families}: {why}",
            means="their jobs are refused, and what is there is not among what is told here",
            remedy="start it, or set WHERRY_FAMILY_REDIS to the fleet's",
            page="docs/sharding.md",
        )


def _findings(redis: RedisFacts) -> Iterator[Diagnosis]:
    checks = (_server, _memory, _persistence, _replicas, _sentinels, _connections, _speed)
    for check in checks:
        yield from check(redis)


def _server(redis: RedisFacts) -> Iterator[Diagnosis]:
    info = redis.info
    if int(str(info.get("redis_version", "0")).split(".")[0]) < _OLDEST:
        yield Diagnosis(
            check="redis-version",
            severity=ERROR,
            found=f"Redis {info.get('redis_version')}",
            means="it lacks commands that the fleet's scripts use",
            remedy=f"upgrade it to {_OLDEST}.0 or newer, or to Valkey",
            page=_PAGE,
        )
    if info.get("cluster_enabled"):
        yield Diagnosis(
            check="redis-cluster",
            severity=ERROR,
            found="Redis Cluster",
            means="a script's keys lie on several nodes there, which it cannot reach",
            remedy="use a single server, with replicas where it must fail over",
            page=_PAGE,
        )


def _memory(redis: RedisFacts) -> Iterator[Diagnosis]:
    info = redis.info
    policy, limit = str(info.get("maxmemory_policy", "")), int(info.get("maxmemory", 0))
    used = int(info.get("used_memory", 0))
    if policy != "noeviction":
        yield Diagnosis(
            check="redis-policy",
            severity=ERROR,
            found=f"maxmemory-policy is {policy}",
            means="at its memory limit Redis throws jobs and their answers away",
            remedy="CONFIG SET maxmemory-policy noeviction, and in its configuration file",
            page=_PAGE,
        )
    if not limit:
        yield Diagnosis(
            check="redis-maxmemory",
            severity=WARNING,
            found="maxmemory is not set",
            means="a queue that grows takes the machine's memory, until the kernel kills something",
            remedy="CONFIG SET maxmemory 2gb, or what the machine can spare",
            page=_PAGE,
        )
    elif used >= _LOOK * limit:
        yield Diagnosis(
            check="redis-memory",
            severity=ERROR if used >= _LATE * limit else WARNING,
            found=f"{used / limit:.0%} of maxmemory is used ({used:,} of {limit:,} bytes)",
            means="at the limit submit answers 503 queue_full; what waits goes on",
            remedy="raise maxmemory, lower WHERRY_RESULT_TTL_S or WHERRY_INLINE_MAX_BYTES, or add"
            " workers if the queue is long",
            page=_PAGE,
        )


def _persistence(redis: RedisFacts) -> Iterator[Diagnosis]:
    info, config = redis.info, redis.config
    if not info.get("aof_enabled"):
        yield Diagnosis(
            check="redis-aof",
            severity=ERROR,
            found="appendonly is no",
            means="a restart of Redis loses every job that waits and every answer",
            remedy="CONFIG SET appendonly yes, and in its configuration file",
            page=_PAGE,
        )
    for name, what in (
        ("aof_last_write_status", "write"),
        ("aof_last_bgrewrite_status", "rewrite"),
    ):
        if info.get("aof_enabled") and info.get(name, "ok") != "ok":
            yield Diagnosis(
                check=f"redis-aof-{what}",
                severity=ERROR,
                found=f"the last {what} of the append-only file: {info.get(name)}",
                means="Redis refuses writes while it cannot append, and its file only grows while"
                " it cannot rewrite it",
                remedy="make room on its disk, and see its log",
                page=_PAGE,
            )
    if config is None:
        yield Diagnosis(
            check="redis-config",
            severity=NOTE,
            found="CONFIG is refused",
            means="when it syncs to disk is not known from here",
            remedy="ask whoever runs it for appendfsync: everysec or always",
            page=_PAGE,
        )
    elif config.get("appendfsync") == "no":
        yield Diagnosis(
            check="redis-fsync",
            severity=WARNING,
            found="appendfsync is no",
            means="a crash of the machine loses what the kernel had not written, half a minute's",
            remedy="CONFIG SET appendfsync everysec",
            page=_PAGE,
        )


def _replicas(redis: RedisFacts) -> Iterator[Diagnosis]:
    info = redis.info
    if info.get("role") not in (None, "master"):
        yield Diagnosis(
            check="redis-replica",
            severity=ERROR,
            found=f"{redis.where} is a replica",
            means="it takes no writes, and follows another server",
            remedy="point WHERRY_REDIS_URL at the primary",
            page=_PAGE,
        )
    least = int((redis.config or {}).get("min-replicas-to-write") or 0)
    good = int(info.get("min_slaves_good_slaves", least))  # told where there is a least
    if info.get("role") == "master" and good < least:
        yield Diagnosis(
            check="redis-replicas-few",
            severity=ERROR,
            found=f"{good} replicas follow {redis.where}, and min-replicas-to-write is {least}",
            means="it takes no writes (NOREPLICAS): to all of the fleet it is away",
            remedy="start the replicas, or CONFIG SET min-replicas-to-write 0 for as long",
            page="docs/high-availability.md#a-redis-that-fails-over",
        )
    for number in range(int(info.get("connected_slaves", 0))):
        told = info.get(f"slave{number}")
        if isinstance(told, dict) and (told["state"] != "online" or int(told["lag"]) > _LAG_S):
            yield Diagnosis(
                check="redis-replica-lag",
                severity=WARNING,
                found=f"replica {told['ip']}:{told['port']} is {told['state']},"
                f" {told['lag']} s behind",
                means="a fail-over to it loses as much",
                remedy="see its log and the line between the two",
                page=_PAGE,
            )


def _sentinels(redis: RedisFacts) -> Iterator[Diagnosis]:
    after_ms = redis.down_after_ms
    if after_ms is not None and after_ms < HASTY_MS:
        yield Diagnosis(
            check="redis-sentinels-hasty",
            severity=WARNING,
            found=f"sentinels call {redis.where} down after {after_ms} ms",
            means="they ask once a second: after a failover they may take the new primary for dead,"
            " and hand over again without waiting for what it had accepted",
            remedy="SENTINEL SET <name> down-after-milliseconds 5000, on each sentinel",
            page="docs/high-availability.md#a-redis-that-fails-over",
        )
    following = int(redis.info.get("connected_slaves", 0))
    if after_ms is not None and redis.min_replicas < following:
        yield Diagnosis(
            check="redis-failover-plain",
            severity=NOTE,
            found=f"{following} replicas follow {redis.where}, and WHERRY_MIN_REPLICAS is"
            f" {redis.min_replicas} here",
            means="a plain SENTINEL FAILOVER throws away what the replica that it promotes has not",
            remedy="hand over by `wherry failover`, or set WHERRY_MIN_REPLICAS to all of them",
            page="docs/high-availability.md#a-failover-by-command",
        )


def _connections(redis: RedisFacts) -> Iterator[Diagnosis]:
    info = redis.info
    most, now = int(info.get("maxclients", 0)), int(info.get("connected_clients", 0))
    if most and now >= _LOOK * most:
        yield Diagnosis(
            check="redis-clients",
            severity=ERROR if now >= _LATE * most else WARNING,
            found=f"{now} of {most} clients are connected",
            means="one more than that is refused: workers that restart stay outside",
            remedy="CONFIG SET maxclients, and the limit of open files of its process",
            page=_PAGE,
        )
    if redis.descriptors and redis.descriptors[0] >= _LOOK * redis.descriptors[1]:
        used, limit = redis.descriptors
        yield Diagnosis(
            check="redis-files",
            severity=WARNING,
            found=f"Redis has {used} of {limit} files open",
            means="it takes no connection beyond, and cannot rewrite its file",
            remedy="raise its limit of open files (LimitNOFILE= of systemd, ulimit -n)",
            page=_PAGE,
        )


def _speed(redis: RedisFacts) -> Iterator[Diagnosis]:
    if redis.latency.p50_ms > _SLOW_MS:
        yield Diagnosis(
            check="redis-latency",
            severity=WARNING,
            found=f"a call to Redis takes {redis.latency}",
            means="each submit, claim and finish waits as long",
            remedy="bring this machine nearer, or see SLOWLOG GET and its CPU",
            page=_PAGE,
        )
    if abs(redis.ahead_s) > clocks.APART_S:
        yield Diagnosis(
            check="clock-here",
            severity=WARNING,
            found=f"this machine's clock is {clocks.in_words(redis.ahead_s)}",
            means="times that are told here are wrong by as much",
            remedy="set both by NTP",
            page=_PAGE,
        )
