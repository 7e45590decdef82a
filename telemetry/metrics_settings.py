"""Where a process shows its metrics."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class MetricsSettings(BaseSettings):
    """A page of metrics on a port of its own; each process has one."""

    model_config = SettingsConfigDict(env_prefix="WHERRY_", extra="ignore")

    metrics_port: Annotated[int, Field(ge=0, le=65_535)] | Literal["auto"] = Field(
        default=0,
        description="Port on which a process shows its metrics to whoever reaches it, without a"
        " key; `auto`: one that is free, told by /v2/metrics/targets; 0: none. The API has"
        " /metrics on its own port besides.",
    )
    metrics_host: str = Field(
        default="127.0.0.1", description="Address that the metrics' port listens on."
    )
