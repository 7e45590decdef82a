from __future__ import annotations

import functools
import logging
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Self, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ..protocol.places import AllowedPlaces
from . import family_redis
from . import redis_url as redis_urls
from .setting_names import remarks

log = logging.getLogger(__name__)

S = TypeVar("S", bound=BaseSettings)


class SettingsError(ValueError):
    """WHERRY_* variables that cannot be used, a line each."""


def from_environment(kind: type[S]) -> S:
    """The settings of one room. Raises SettingsError, which shows no value: it may be secret.

    Warns, once a process, of variables that are no setting.
    """
    _warn_of_odd_names()
    try:
        return kind()
    except ValidationError as error:
        lines = []
        for fault in error.errors(include_url=False, include_input=False, include_context=False):
            name = f"WHERRY_{fault['loc'][0]}: ".upper() if fault["loc"] else ""
            lines.append(name + fault["msg"].removeprefix("Value error, "))
        raise SettingsError("\n".join(lines)) from None


@functools.cache
def _warn_of_odd_names() -> None:
    for remark in remarks(os.environ):
        log.warning("%s", remark)


class JobsSettings(BaseSettings):
    """Where jobs live and how long. Shared by the API and every worker."""

    # What cannot be read may be half a password: errors do not show it.
    model_config = SettingsConfigDict(
        env_prefix="WHERRY_", extra="ignore", hide_input_in_errors=True
    )

    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0",
        repr=False,  # it may hold a password
        description="Redis or Valkey 7.0 or newer, rediss:// over TLS; also Celery's broker."
        " `sentinel://host:26379,host:26379/mymaster/0` for one that fails over.",
    )
    min_replicas: int = Field(
        default=0,
        ge=0,
        description="Replicas of Redis that must have a job, or whatever else the API takes over,"
        " before it says so; when fewer have it in time the answer is 503 `not_replicated`. 0:"
        " a failover may lose what was accepted in the moment before it.",
    )
    min_replicas_timeout_s: float = Field(
        default=1.0, gt=0, le=60, description="Seconds that these replicas may take."
    )
    family_redis: str = Field(
        default="",
        repr=False,
        description="Families with a Redis of their own, jobs and broker, the same for every"
        " process: vision=redis://a/0,text=redis://b/0. All else is on redis_url.",
    )
    key_prefix: str = Field(
        default="wherry",
        description="First word of every Redis key; fleets that share a Redis differ here.",
    )
    result_ttl_s: int = Field(
        default=86_400, ge=1, description="Seconds a finished job and its result are kept."
    )
    delivered_ttl_s: int = Field(
        default=300,
        ge=60,
        description="Seconds that a job is kept whose answer went to a client that waited for it"
        " and sent no Idempotency-Key (the request's own id names no such job); never longer than"
        " result_ttl_s.",
    )
    kept_requests_bytes: int = Field(
        default=67_108_864,
        ge=0,
        description="Bytes of Redis in which the requests of ended jobs are kept to be looked at:"
        " all of a quiet fleet, a sample of a busy one, none where half of maxmemory is in use;"
        " for moments twice as many. 0: a request goes with the end of its job.",
    )
    kept_requests_s: int = Field(
        default=3600,
        ge=1,
        description="Seconds that the request of an ended job is kept, if it is.",
    )
    compact_records: bool = Field(
        default=True,
        description="Let records and small results take half the memory, as the version before does"
        " not read them. Off, for `result_ttl_s`, before a fleet goes back to that version.",
    )
    stream_ttl_s: int = Field(
        default=600, ge=1, description="Seconds that streamed tokens are kept for replay."
    )
    inline_max_bytes: int = Field(
        default=262_144, ge=0, description="Bytes up to which a payload or result stays in Redis."
    )
    max_waiting: int = Field(
        default=100_000, ge=1, description="Jobs that may wait in all; past it submit answers 503."
    )
    interactive_weight: float = Field(
        default=8.0,
        gt=0,
        description="Share of the jobs of priority 1 to 8, held against bulk_weight.",
    )
    bulk_weight: float = Field(
        default=1.0,
        gt=0,
        description="Share of the jobs of priority 9 while others wait; alone they get everything.",
    )
    max_attempts: int = Field(
        default=3,
        ge=1,
        description="Times a job is started before a crash sends it to the dead letters.",
    )
    lease_ttl_s: float = Field(
        default=15.0,
        gt=0,
        description="Seconds without a heartbeat after which a worker counts as dead.",
    )
    store_url: str = Field(
        default="",
        description="Where large bytes go: s3://bucket/prefix, or a folder; empty: store_dir.",
    )
    store_dir: Path = Field(
        default=Path(".wherry/blobs"),
        description="Folder for large bytes when no store_url is given.",
    )
    s3_endpoint_url: str | None = Field(default=None, description="S3 endpoint; empty: AWS's own.")
    s3_region: str | None = Field(default=None, description="S3 region.")
    s3_access_key_id: str | None = Field(
        default=None, description="S3 key id; empty: boto3's own credential chain."
    )
    s3_secret_access_key: SecretStr | None = Field(default=None, description="S3 secret key.")
    s3_timeout_s: float = Field(
        default=10.0,
        gt=0,
        description="Seconds without a byte after which an S3 call is tried anew.",
    )
    s3_attempts: int = Field(
        default=4, ge=1, description="Times that an S3 call is tried, with backoff and jitter."
    )
    run_places: str = Field(
        default="",
        description="Where runs may read and write when a client names it: folders and URLs by"
        " commas, as /data/,s3://bucket/; `local`: anywhere, while there are no API keys.",
    )
    sweep_every_s: int = Field(
        default=3600,
        ge=0,
        description="Seconds between two sweeps of the blob store, over the whole fleet; 0: never.",
    )
    sweep_age_s: int = Field(
        default=21_600,
        ge=60,
        description="Seconds since it was written before a blob can count as orphaned.",
    )

    @field_validator("run_places")
    @classmethod
    def _check_run_places(cls, places: str) -> str:
        AllowedPlaces.of(places)
        return places

    @model_validator(mode="after")
    def _check_family_redis(self) -> Self:
        if any(url == self.redis_url for url in family_redis.read(self.family_redis).values()):
            raise ValueError(
                "WHERRY_FAMILY_REDIS: a family's own Redis is WHERRY_REDIS_URL: leave that family"
                " out"
            )
        return self

    @field_validator("family_redis")
    @classmethod
    def _check_families(cls, text: str) -> str:
        family_redis.read(text)
        return text

    @functools.cached_property
    def own_redis(self) -> Mapping[str, str]:
        """URLs by family, of those that have a Redis of their own."""
        return family_redis.read(self.family_redis)

    def serving(self, families: Collection[str]) -> JobsSettings:
        """These settings as a worker of some families has them, on their one Redis.

        Raises SettingsError where they have more than one.
        """
        try:
            url = family_redis.one_of(families, self.own_redis, self.redis_url)
        except ValueError as error:
            raise SettingsError(str(error)) from None
        return self.model_copy(update={"redis_url": url, "family_redis": "", "own_redis": {}})

    @field_validator("redis_url")
    @classmethod
    def _check_redis_url(cls, url: str) -> str:
        redis_urls.check(url)
        return url
