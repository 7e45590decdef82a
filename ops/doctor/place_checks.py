"""The blob store, disks, and the API."""

from __future__ import annotations

from collections.abc import Iterator

from .diagnosis import ERROR, NOTE, WARNING, Diagnosis
from .facts import Facts

_STORE = "docs/operations.md#the-blob-store-s3-or-a-folder"
_API = "docs/operations.md#the-api"

#: Ms that half of the calls to a store may take.
_SLOW_MS = 500.0

#: Shares of a disk that should be free, and that must.
_LOW, _LOWEST = 0.1, 0.02


def store_findings(facts: Facts) -> Iterator[Diagnosis]:
    """All that is wrong with the store and the disks."""
    store = facts.store
    if store is None:
        return
    if store.fault:
        yield Diagnosis(
            check="store-away",
            severity=ERROR,
            found=f"{store.name}: {store.fault}",
            means="jobs whose payloads or results are over WHERRY_INLINE_MAX_BYTES are refused or"
            " fail; all others go on",
            remedy="mend the store, its credentials or the folder's permissions",
            page=_STORE,
        )
    elif store.is_fleets is False:
        yield Diagnosis(
            check="store-other",
            severity=WARNING,
            found=f"the store that is set here is {store.name}, the APIs' is {store.fleets_name}",
            means="a worker or sweep with these settings would find no blobs; the fleet's own"
            " store was not looked at",
            remedy="set the fleet's WHERRY_STORE_URL or WHERRY_STORE_DIR, or run this where it is",
            page=_STORE,
        )
    for name, latency in store.latency.items():
        if latency.p50_ms > _SLOW_MS:
            yield Diagnosis(
                check="store-latency",
                severity=WARNING,
                found=f"{name} of a small blob takes {latency}",
                means="large jobs wait as long to be submitted, read and finished",
                remedy="use a store that is nearer, or raise WHERRY_INLINE_MAX_BYTES",
                page=_STORE,
            )
    if store.strangers:
        yield Diagnosis(
            check="store-shared",
            severity=WARNING,
            found=f"{store.name} bears the names of other fleets: {', '.join(store.strangers)}",
            means="nothing is swept, so orphaned blobs pile up",
            remedy="give each fleet a prefix of its own; once the others are gone for good:"
            " wherry sweep --adopt",
            page="docs/operations.md#expired-files-and-orphaned-blobs",
        )
    yield from _disks(facts)


def _disks(facts: Facts) -> Iterator[Diagnosis]:
    for disk in facts.disks:
        if disk.free < _LOW * disk.total:
            yield Diagnosis(
                check="disk",
                severity=ERROR if disk.free < _LOWEST * disk.total else WARNING,
                found=f"{disk.what}: {disk.free / disk.total:.0%} free, {disk.free >> 20:,} MiB",
                means="on a full disk Redis refuses writes and the store large jobs",
                remedy="make room, or put it on another disk",
                page=_STORE,
            )


def api_findings(facts: Facts) -> Iterator[Diagnosis]:
    """All that is wrong with the API at WHERRY_URL."""
    api = facts.api
    if api.fault:
        yield Diagnosis(
            check="api-away",
            severity=ERROR,
            found=f"{api.url}: {api.fault}",
            means="clients reach nobody there",
            remedy="start it, or set WHERRY_URL (or --url) to where it is, and WHERRY_API_KEY",
            page=_API,
        )
        return
    for reason in api.reasons:
        yield Diagnosis(
            check="api-not-ready",
            severity=ERROR,
            found=f"{api.url} is not ready: {reason}",
            means="balancers send it nothing",
            remedy="what it names has a finding of its own, or is in the API's log",
            page=_API,
        )
    if facts.fleet is None:
        return
    ours = {each.id for each in facts.fleet.parties if each.kind == "api"}
    if api.apis is None:
        yield Diagnosis(
            check="api-key",
            severity=NOTE,
            found=f"{api.url} shows its fleet to an admin's key alone",
            means="whether it is an API of the fleet in this Redis is not known",
            remedy="set WHERRY_API_KEY to an admin's",
            page="docs/security.md",
        )
    elif ours and not ours & api.apis:
        yield Diagnosis(
            check="api-other-fleet",
            severity=ERROR,
            found=f"{api.url} is an API of another fleet than {facts.redis and facts.redis.where}"
            f" under the prefix {facts.key_prefix!r}",
            means="what is looked at here is not what its clients use",
            remedy="set WHERRY_REDIS_URL and WHERRY_KEY_PREFIX as that API has them",
            page=_API,
        )
