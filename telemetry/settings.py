from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class TelemetrySettings(BaseSettings):
    """What each process tells of itself, and how. OpenTelemetry's own are `OTEL_*`."""

    model_config = SettingsConfigDict(env_prefix="WHERRY_", extra="ignore")

    tracing: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="Traces by OpenTelemetry: `auto`, where `OTEL_EXPORTER_OTLP_ENDPOINT`,"
        " `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` or `OTEL_TRACES_EXPORTER` says where to; `on`, to"
        " http://localhost:4318 where nothing does; or `off`. Needs the extra `otel`.",
    )
    log_format: Literal["text", "json"] = Field(
        default="text",
        description="What a line of the log is: `text`, or a `json` object with the ids of its"
        " trace, jobs and batch.",
    )
