"""What is looked at before and while a stack starts."""

from __future__ import annotations

import importlib.util
import os

import httpx
import redis

from ..api.settings import ApiSettings
from ..jobs import JobsSettings, connection, redis_url
from ..jobs.settings import SettingsError, from_environment
from ..jobs.stores import FolderStore, open_store
from ..protocol.errors import StoreUnavailable
from ..telemetry.settings import TelemetrySettings
from ..workers.settings import WorkerSettings
from .ports import LOOPBACK, free_port, is_free


class StackError(RuntimeError):
    """The stack cannot start; the text says which service and why."""


def require_settings() -> None:
    """Raises StackError, a line a fault, for an environment that no service could start with."""
    faults: list[str] = []
    for kind in (JobsSettings, ApiSettings, WorkerSettings, TelemetrySettings):
        try:
            from_environment(kind)
        except SettingsError as error:
            faults += str(error).splitlines()
    if faults:
        raise StackError("\n".join(dict.fromkeys(faults)))
    if {"WHERRY_STORE_DIR", "WHERRY_STORE_URL"} & os.environ.keys():  # else the data folder has it
        _require_store(from_environment(JobsSettings))


def _require_store(settings: JobsSettings) -> None:
    try:
        store = open_store(settings)
    except SettingsError as error:
        raise StackError(str(error)) from None
    if not isinstance(store, FolderStore):  # S3 may well come up later
        return
    try:
        store.delete(store.put("can-it-be-written", b""))
    except StoreUnavailable as error:
        hint = "WHERRY_STORE_DIR or WHERRY_STORE_URL names another"
        raise StackError(f"{error.message} ({store.name}); {hint}") from None


def choose_port(wanted: int, option: str, host: str = LOOPBACK) -> int:
    """The port, or a free one for 0. Raises StackError when it is taken."""
    if wanted and not is_free(wanted, host):
        raise StackError(f"port {wanted} is taken: {option} N takes another, {option} 0 a free one")
    return wanted or free_port()


def require_grpc(*, plain: bool = True) -> None:
    """Raises StackError when the API could not speak gRPC, or not as its HTTP does."""
    if not plain:
        raise StackError(
            "--grpc-port: gRPC has no TLS of its own, and --tls-cert would not be for it: leave one"
            " of them out, and put a proxy with TLS before gRPC"
        )
    if importlib.util.find_spec("grpc") is None:
        raise StackError("--grpc-port needs gRPC, which is an extra: pip install 'wherry[grpc]'")


def ping_redis(url: str) -> None:
    """Raises StackError when no Redis answers there."""
    try:
        redis_url.check(url)
    except ValueError as error:  # it shows nothing of a password
        raise StackError(f"the Redis URL {error}") from None
    try:
        probe = connection.connect(url)
        try:
            probe.ping()
        finally:
            connection.close(probe)
    except redis.RedisError as error:  # it names the host, never the password
        broke_off = type(error) is redis.ConnectionError and "connecting" not in str(error)
        plain = broke_off and url.startswith("redis://")
        hint = " (where its port speaks TLS, write rediss://)" if plain else ""
        where = redis_url.shown(url)
        raise StackError(
            f"Redis does not answer at {where}: {error}{hint}; "
            "--redis-url or WHERRY_REDIS_URL names it"
        ) from None
    except ValueError:  # its text may hold half a password
        raise StackError("the Redis URL cannot be read: expected redis://host:port/0") from None


def failed_models(http: httpx.Client, url: str) -> dict[str, str]:
    """The models that an API calls failed, and why, as far as it tells without a key."""
    names = http.get(f"{url}/v2/health/ready").json().get("failed_models", [])
    if not names:
        return {}
    index = http.post(f"{url}/v2/repository/index")
    entries = index.json() if index.status_code == 200 else []
    reasons = {entry["name"]: entry["reason"] for entry in entries if entry["reason"]}
    return {name: reasons.get(name, "its worker's log says why") for name in names}


def answers(http: httpx.Client, url: str) -> bool:
    """Whether a GET answers 200 now."""
    try:
        return http.get(url).status_code == 200
    except httpx.HTTPError:
        return False


def drained(http: httpx.Client, url: str) -> list[str]:
    """What workers say that an operator drained, if nothing else keeps the fleet from serving."""
    try:
        reasons = http.get(f"{url}/v2/health/ready").json()["reasons"]
        workers = http.get(f"{url}/v2/workers").json()["workers"]
    except (httpx.HTTPError, ValueError, KeyError):
        return []
    held = [each for each in workers if each["alive"] and each["state"] == "draining"]
    explained = [f"no worker for family {family!r}" for each in held for family in each["families"]]
    explained += [f"worker {each['id']} does not serve: {each['reason']}" for each in held]
    return [f"{each['node']} is {each['reason']}" for each in held if set(reasons) <= {*explained}]
