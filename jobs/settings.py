from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class JobsSettings(BaseSettings):
    """Where jobs live and how long. Shared by the API and every worker."""

    model_config = SettingsConfigDict(env_prefix="WHERRY_", extra="ignore")

    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0",
        description="Redis or Valkey 7.0 or newer; also Celery's broker.",
    )
    key_prefix: str = Field(
        default="wherry",
        description="First word of every Redis key; fleets that share a Redis differ here.",
    )
    result_ttl_s: int = Field(
        default=86_400, ge=1, description="Seconds a finished job and its result are kept."
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
