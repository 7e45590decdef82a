"""Asks for the facts: Redis, the blob store, the API, this machine."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from redis import RedisError
from redis.exceptions import ResponseError
from redis.sentinel import SentinelConnectionPool

from ...client.address import base_url
from ...client.client import Client
from ...jobs import family_redis, redis_url
from ...jobs.call import Call, Queue, translate
from ...jobs.clocks import ahead_of
from ...jobs.dead import list_dead
from ...jobs.fleet import FIRST_GROUPS, groups, one_view, view
from ...jobs.fleet_queue import open_blocking
from ...jobs.fleet_views import GroupView
from ...jobs.keys import Keys
from ...jobs.proof import is_in, noted
from ...jobs.settings import JobsSettings
from ...jobs.stores import FolderStore, Store, open_store
from ...protocol.errors import Forbidden, Unauthorized, WherryError
from .facts import ApiFacts, Disk, Facts, FleetFacts, Latency, RedisFacts, StoreFacts, versions
from .parties import descriptors_of, parties

#: Calls that a latency is told by, and bytes of the blobs among them.
_CALLS, _BLOB_BYTES = 50, 1024

#: Of what is asked of Redis' configuration: the rest is in INFO.
_CONFIG = ("appendfsync", "dir", "min-replicas-to-write")

#: Where each fleet that sweeps a store leaves its name.
_FLEETS = "fleet/"


def examine(settings: JobsSettings, url: str) -> Facts:
    """All facts; what cannot be asked is left out, and said."""
    known: dict[str, Any] = {
        "versions": versions(),
        "key_prefix": settings.key_prefix,
        "lease_ttl_s": settings.lease_ttl_s,
        "api": _api(url),
    }
    queue = open_blocking(settings)
    try:
        home = queue.parts[0]
        server = _redis(home, settings.redis_url, settings)
        present, others, away = _family_servers(queue, settings)
        known |= {"redis": server, "family_redis": others, "away": away}
        known["fleet"] = _fleet(home, present, settings)
        known["versions"]["redis server"] = _server_version(server)
        store = open_store(settings)
        known["store"] = _store([home, *present], store, settings, complete=not away)
        known["disks"] = _disks((server, *others), store)
    except WherryError as error:
        known["fault"] = redis_url.explain(error, settings.redis_url)
    finally:
        queue.close()
    return Facts(**known)


def _server_version(server: RedisFacts) -> str:
    info = server.info
    name = info.get("server_name") or "redis"
    return f"{name} {info.get(f'{name}_version') or info.get('redis_version', '?')}"


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _family_servers(
    queue: Queue, settings: JobsSettings
) -> tuple[list[Queue], tuple[RedisFacts, ...], dict[str, str]]:
    """Those that families have of their own and that answer, what they say; why others do not."""
    present, found, away = list[Queue](), list[RedisFacts](), dict[str, str]()
    servers = family_redis.by_url(settings.own_redis).items()
    for part, (url, families) in zip(queue.parts[1:], servers, strict=True):
        name = ", ".join(families)
        try:
            found.append(_redis(part, url, settings, name))
            present.append(part)
        except WherryError as error:
            away[name] = f"{error.message} ({redis_url.shown(url)})"
    return present, tuple(found), away


def _redis(queue: Queue, url: str, settings: JobsSettings, name: str = "") -> RedisFacts:
    client: Any = queue.redis  # typed for async callers as well
    try:
        info = client.info()
        before = time.time()
        seconds, micros = client.time()
        after = time.time()
        latency = Latency.of([_timed(client.ping) for _ in range(_CALLS)])
    except RedisError as error:
        raise translate(error) from error
    theirs = seconds + micros / 1e6
    is_here = url.startswith("unix") or _is_local(client)
    return RedisFacts(
        name=name,
        where=redis_url.shown(url),
        info=info,
        config=_config(client),
        latency=latency,
        ahead_s=ahead_of(theirs, before, after),
        descriptors=descriptors_of(int(info["process_id"])) if is_here else None,
        down_after_ms=_down_after_ms(client),
        min_replicas=settings.min_replicas,
    )


def _down_after_ms(client: Any) -> int | None:
    """The least that a sentinel says: two that are hasty are enough."""
    pool, told = client.connection_pool, list[int]()
    if not isinstance(pool, SentinelConnectionPool):
        return None
    for sentinel in pool.sentinel_manager.sentinels:
        with suppress(RedisError):
            told.append(sentinel.sentinel_master(pool.service_name)["down-after-milliseconds"])
    return min(told, default=None)


def _is_local(client: Any) -> bool:
    host = str(client.connection_pool.connection_kwargs.get("host", ""))
    return host in ("localhost", "::1") or host.startswith("127.")


def _config(client: Any) -> dict[str, str] | None:
    try:
        found = {name: client.config_get(name).get(name, "") for name in _CONFIG}
    except ResponseError:  # a managed one, or a user who may not
        return None
    except RedisError as error:
        raise translate(error) from error
    return found


def _fleet(home: Queue, others: Sequence[Queue], settings: JobsSettings) -> FleetFacts:
    queues = [home, *others]
    views = [queue.run(view(settings)) for queue in queues]
    found = parties(list(zip(queues, views, strict=True)), settings)
    declared = {model_id for each in found if each.alive for model_id in each.info.get("tasks", ())}
    failed_webhooks = ("ZCARD", Keys(settings.key_prefix).webhooks_failed)
    return FleetFacts(
        view=one_view(views),
        parties=found,
        declared=frozenset(declared),
        groups=tuple(group for queue in queues for group in _groups(queue, settings)),
        dead=sum(queue.run(list_dead(settings, limit=1)).total for queue in queues),
        webhooks_failed=sum(queue.run(Call([failed_webhooks], parse=int)) for queue in queues),
    )


def _groups(queue: Queue, settings: JobsSettings) -> tuple[GroupView, ...]:
    found: dict[str, GroupView] = {}
    cursor = FIRST_GROUPS
    while True:
        page, cursor = queue.run(groups(settings, cursor))
        found |= page
        if cursor == FIRST_GROUPS:
            return tuple(found.values())


def _store(
    queues: Sequence[Queue], store: Store, settings: JobsSettings, *, complete: bool
) -> StoreFacts:
    """Who else uses it is not known where not all Redis servers of the fleet are asked."""
    proof = queues[0].run(noted(settings))
    fleets_name = proof.store if proof else ""
    is_fleets: bool | None = None
    try:
        if proof is not None:
            is_fleets = is_in(store, proof)
        if not is_fleets:  # nothing is written where it may be nobody's store
            return StoreFacts(name=store.name, fleets_name=fleets_name, is_fleets=is_fleets)
        key = Keys(settings.key_prefix).fleet
        own = {name.decode() for queue in queues for name in queue.values([key]) if name}
        names = {blob.key.removeprefix(_FLEETS) for blob in store.blobs(_FLEETS)}
        strangers = tuple(sorted(names - own)) if complete else ()
        return StoreFacts(
            name=store.name,
            fleets_name=fleets_name,
            is_fleets=True,
            latency=_store_latency(store),
            strangers=strangers,
        )
    except WherryError as error:
        return StoreFacts(
            name=store.name, fleets_name=fleets_name, is_fleets=is_fleets, fault=error.message
        )


def _store_latency(store: Store) -> dict[str, Latency]:
    data, took = bytes(_BLOB_BYTES), {"put": list[float](), "get": [], "delete": []}
    for _ in range(_CALLS):
        began = time.perf_counter()
        ref = store.put(f"doctor/{uuid.uuid4().hex}", data)
        took["put"].append(time.perf_counter() - began)
        try:
            took["get"].append(_timed(partial(store.get, ref)))
        finally:
            took["delete"].append(_timed(partial(store.delete, ref)))
    return {name: Latency.of(seconds) for name, seconds in took.items()}


def _disks(servers: Sequence[RedisFacts], store: Store) -> tuple[Disk, ...]:
    """Those of this machine that the fleet writes to."""
    folders = {"the blob store": store.folder} if isinstance(store, FolderStore) else {}
    for server in servers:
        if server.descriptors and server.config and server.config.get("dir"):
            of = f" of {server.name}" if server.name else ""
            folders[f"Redis' append-only file{of}"] = Path(server.config["dir"])
    found = []
    for what, folder in folders.items():
        with suppress(OSError):  # it is not there: what writes there says so
            usage = shutil.disk_usage(folder)
            found.append(Disk(what=f"{what} ({folder})", free=usage.free, total=usage.total))
    return tuple(found)


def _api(url: str) -> ApiFacts:
    where = base_url(url or None)
    try:
        with Client(where, timeout_s=10, patience_s=0) as client:
            told = client.get("/v2")
            return ApiFacts(
                url=where,
                version=str(told.get("version", "")),
                reasons=tuple(client.readiness()),
                apis=_apis(client),
            )
    except (WherryError, OSError) as error:
        return ApiFacts(url=where, fault=str(error))


def _apis(client: Client) -> frozenset[str] | None:
    try:
        return frozenset(each["id"] for each in client.get("/v2/workers")["apis"])
    except (Unauthorized, Forbidden):
        return None
