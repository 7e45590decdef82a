"""The keys that are good now: from a file, from Redis, from both."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ...jobs import AsyncQueue, JobsSettings
from ...jobs.access_keys import all_keys, forget_key, put_key
from ...protocol.errors import Conflict, NotFound, Unauthorized, Unavailable, WherryError
from ...protocol.v2 import describe
from .caller import EVERYONE, Caller
from .keys import ApiKey, id_of

log = logging.getLogger(__name__)

#: Seconds after which a key that was made or revoked is known everywhere, about.
_LOOK_S = 1.0

#: When a key was made that does not say.
_EPOCH = datetime.fromtimestamp(0, UTC)

_OPEN = "no API keys: whoever reaches this server may do everything; see docs/security.md"


class KeyFileError(Exception):
    """The file of keys cannot be used; the text says why."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    keys: list[ApiKey] = []


def read_keys(path: Path) -> dict[str, ApiKey]:
    """A file's keys. Raises KeyFileError."""
    try:
        found = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from None
    except ValidationError as error:
        raise KeyFileError(f"{path}: {describe(error)}") from None
    except ValueError as error:  # no TOML, or no UTF-8
        raise KeyFileError(f"{path}: {error}") from None
    return {key.id: key for key in found.keys}


class KeyBook:
    """Every key, in memory: a request is looked up without asking anyone.

    A server that has seen a key stays closed until it ends, even when the last one is revoked or
    Redis has lost them.
    """

    def __init__(
        self, path: Path | None, queue: AsyncQueue, jobs: JobsSettings, *, required: bool = False
    ) -> None:
        self._path, self._queue, self._jobs = path, queue, jobs
        self._closed = required or path is not None
        self._filed: dict[str, ApiKey] = {}
        self._stamp: tuple[int, int, int] | None = None
        self._stored: dict[str, ApiKey] | None = None  # None until Redis has told
        self._raw: Mapping[str, bytes] = {}
        self._keys: dict[str, ApiKey] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read the keys, and go on looking. Raises KeyFileError."""
        if self._path is not None:
            self._read_file(self._path)
        await self._read_redis()
        if not self._closed and self._stored is not None:
            log.warning(_OPEN)
        self._task = asyncio.create_task(self._look())

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def caller(self, token: str) -> Caller:
        """Whom a token stands for; "" is none. Raises Unauthorized, and Unavailable before it is
        known whether there are keys.
        """
        if not self._closed:
            if self._stored is None:
                raise Unavailable("the API keys cannot be read yet; retry later")
            return EVERYONE
        if not token:
            raise Unauthorized("an API key is needed: send `Authorization: Bearer wherry_...`")
        key = self._keys.get(id_of(token))
        if key is None or not key.fits(token):
            raise Unauthorized("the API key is unknown, revoked or expired")
        return key.caller

    def tenant(self, name: str) -> Caller:
        """A tenant as its keys have it: for what it asked for before."""
        given = (key for key in self._keys.values() if not key.run)
        mine = [key.caller for key in given if key.tenant == name]
        return max(mine, key=lambda who: who.weight, default=Caller(name, frozenset()))

    @property
    def closed(self) -> bool:
        """Whether a key is needed."""
        return self._closed

    def listed(self) -> list[tuple[ApiKey, bool]]:
        """Every key, by tenant and age, and whether the file has it."""
        keys = sorted(self._keys.values(), key=lambda key: (key.tenant, key.created_at or _EPOCH))
        return [(key, key.id in self._filed) for key in keys]

    async def add(self, key: ApiKey) -> None:
        """Keep a key in Redis. Raises Conflict for a first key that locks all operators out."""
        if not self._closed and not key.caller.admin:
            raise Conflict(
                "the first key has to be an admin's (scope admin, no tenant): from then on every "
                "call needs a key, and only an admin makes more"
            )
        await self._queue.run(put_key(key.id, key.json_text(), self._jobs))
        await self._read_redis()

    async def revoke(self, key_id: str) -> None:
        """Forget a key. Raises NotFound, and Conflict for one of the file."""
        if key_id in self._filed:
            raise Conflict(f"key {key_id!r} is in the file of keys: take it out there")
        if not await self._queue.run(forget_key(key_id, self._jobs)):
            raise NotFound(f"no key {key_id[:12]!r} in Redis")
        await self._read_redis()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                if self._path is not None:
                    self._read_file(self._path)
            except KeyFileError as error:
                log.error("the API keys stay as they were: %s", error)  # noqa: TRY400 # its text says all
            except Exception:
                log.exception("the file of API keys was not read")
            try:
                await self._read_redis()
            except Exception:
                log.exception("the API keys in Redis were not read")

    def _read_file(self, path: Path) -> None:
        try:
            found = path.stat()
        except OSError as error:
            if self._stamp is None:
                raise KeyFileError(f"{path}: {error.strerror}") from None
            return  # it is being replaced, or gone: what it said holds
        stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
        if stamp != self._stamp:
            self._stamp = stamp
            self._filed = read_keys(path)
            self._join()

    async def _read_redis(self) -> None:
        try:
            raw = await self._queue.run(all_keys(self._jobs))
        except WherryError:
            return  # what is known holds
        if self._stored is None or raw != self._raw:
            self._raw, self._stored = raw, _read(raw)
            self._join()

    def _join(self) -> None:
        self._keys = {**(self._stored or {}), **self._filed}
        # A key that cannot be read was meant to close the server all the same.
        self._closed = self._closed or bool(self._keys) or bool(self._raw)


def _read(raw: Mapping[str, bytes]) -> dict[str, ApiKey]:
    keys = {}
    for key_id, text in raw.items():
        try:
            keys[key_id] = ApiKey.model_validate_json(text)
        except ValidationError as error:
            log.error("API key %s in Redis is none: %s", key_id, describe(error))  # noqa: TRY400 # its text says all
    return keys
