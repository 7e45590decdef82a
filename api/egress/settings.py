from __future__ import annotations

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from ...tasks.egress.settings import UrlSettings


class OutboundSettings(UrlSettings):
    """What the API may fetch and call. Lists are separated by commas or spaces."""

    model_config = SettingsConfigDict(env_prefix="WHERRY_", extra="ignore")

    url_buckets: str = Field(
        default="",
        description="Buckets that inputs are read from as `s3://bucket/key`, with the store's own "
        "endpoint and key (`WHERRY_S3_*`): `name`, or `name/prefix/` for the keys that begin so. "
        "Empty: such URLs are refused.",
    )
    url_at_once: int = Field(
        default=32, ge=1, description="Files that one API process fetches at a time."
    )
    webhook_hosts: str = Field(
        default="",
        description="Hosts that webhooks may call, written like `WHERRY_URL_HOSTS`. "
        "Empty: webhooks are refused.",
    )
    webhook_schemes: str = Field(
        default="https", description="Schemes of webhooks: `https`, `http`."
    )
    webhook_secrets: SecretStr = Field(
        default=SecretStr(""),
        description="Secrets that webhooks are signed with, `whsec_` and base64 of 24 to 64 bytes; "
        "several while they are changed. Empty: webhooks are refused.",
    )
    webhook_timeout_s: float = Field(
        default=15.0, gt=0, description="Seconds that a receiver may take to answer."
    )
    webhook_retry_s: int = Field(
        default=86_400,
        ge=0,
        description="Seconds after a job's end during which its webhook is tried again.",
    )
    webhook_first_pause_s: float = Field(
        default=5.0,
        gt=0,
        description="Seconds before a webhook is tried again; they double each time, up to an "
        "hour, less a random part of up to a half.",
    )
    webhook_keep_s: int = Field(
        default=604_800, ge=1, description="Seconds that a webhook which was given up is listed."
    )
    webhooks_at_once: int = Field(
        default=16,
        ge=0,
        description="Webhooks that one API process delivers at a time; 0 leaves them to others.",
    )
    public_url: str = Field(
        default="",
        description="Where clients reach the API, for the links in webhooks; empty: paths alone.",
    )
