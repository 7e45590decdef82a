from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from ..tasks.base import FAMILIES
from .egress.settings import OutboundSettings

#: As browsers send it.
_ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]+")


class ApiSettings(OutboundSettings):
    """How the HTTP surface behaves."""

    model_config = SettingsConfigDict(env_prefix="WHERRY_", extra="ignore")

    models: Path = Field(
        default=Path("models.toml"), description="The declarations of the models to serve."
    )
    max_body_bytes: int = Field(
        default=67_108_864,
        ge=1,
        description="Bytes of a request body, inflated; larger ones get 413.",
    )
    cors_origins: str = Field(
        default="",
        description="Origins whose pages may call this server from a browser, such as "
        "`https://app.example.org`, separated by commas or spaces; `*` for all; empty: its own.",
    )
    dashboards_url: str = Field(
        default="",
        pattern="^(https?://.+)?$",
        description="Where the fleet's dashboards are, such as `https://grafana.example.org`: the"
        " console's page Fleet leads there. Empty: nowhere.",
    )
    max_rows_per_job: int = Field(default=1024, ge=1, description="Rows in one request.")
    max_jobs_per_batch: int = Field(
        default=1000, ge=1, description="Jobs in one /v2/jobs:batch request."
    )
    max_results_bytes: int = Field(
        default=16_777_216,
        ge=1,
        description="Bytes of results in one /v2/jobs:status answer; one result always goes out.",
    )
    strict_models: bool = Field(
        default=False,
        description="Call this API ready only when no declared model has failed to load.",
    )
    models_poll_s: float = Field(
        default=0.0,
        ge=0,
        description="Seconds between two looks whether the models' declarations, or a folder of"
        " models, have changed, to reload them; 0: only when asked.",
    )
    load_parameters: bool = Field(
        default=False,
        description="Let a load say otherwise than models.toml how its model is run.",
    )
    strict_parameters: bool = Field(
        default=False,
        description="Refuse request parameters that nobody reads, instead of a warning.",
    )
    triton_shapes: bool = Field(
        default=False,
        description="Tell inputs that are a list of rows, such as texts, as `[-1, 1]` in metadata,"
        " as Triton does, instead of `[-1]`: perf_analyzer sends no others.",
    )
    infer_timeout_s: float = Field(
        default=60.0,
        gt=0,
        description="Seconds that any request waits for its answer, or for the end of its stream, "
        "before it is told the job to poll (504, or a stream's last event).",
    )
    max_wait_s: float = Field(
        default=60.0, ge=0, description="Longest wait in seconds that a client may ask for."
    )
    drain_delay_s: float = Field(
        default=0.0,
        ge=0,
        description="Seconds that the API goes on after SIGTERM, calling itself not ready: as long"
        " as a balancer takes to see that, so that a rolling restart fails no request.",
    )
    max_file_bytes: int = Field(
        default=1_073_741_824, ge=1, description="Bytes of one file sent to /v1/files."
    )
    max_upload_bytes: int = Field(
        default=10_737_418_240, ge=1, description="Bytes of one upload sent to /v2/uploads."
    )
    upload_kept_s: int = Field(
        default=604_800,
        ge=60,
        description="Seconds that an upload is kept; one that a run reads, until that ends.",
    )
    run_kept_s: int = Field(
        default=2_592_000,
        ge=0,
        description="Seconds that a run and its output in the store are kept once it has ended;"
        " 0: until it is deleted.",
    )
    files_ttl_s: int = Field(
        default=2_592_000,
        ge=0,
        description="Seconds files and ended batches are kept if not asked otherwise; 0: for ever.",
    )
    max_batch_lines: int = Field(
        default=200_000, ge=1, description="Lines in the input file of one /v1/batches batch."
    )
    batch_window: int = Field(
        default=256, ge=1, description="Lines of one batch that are in the queue at a time."
    )
    batches_at_once: int = Field(
        default=2,
        ge=0,
        description="Batches that one API process runs at a time; 0 leaves them to others.",
    )
    celery_tasks_at_once: int = Field(
        default=16,
        ge=0,
        description="Messages of Celery's queue `<key_prefix>.submit`, and ends of such jobs, that"
        " one API process takes at a time; 0 leaves them to others.",
    )
    celery_result_backend: str = Field(
        default="",
        repr=False,  # it may hold a password
        description="Celery's result backend for the jobs that Celery sends; empty: the fleet's"
        " Redis.",
    )
    celery_default_queue: str = Field(
        default="celery",
        description="Celery's queue for tasks that follow such a job and name none.",
    )
    celery_max_result_bytes: int = Field(
        default=16_777_216,
        ge=1,
        description="Bytes of an answer that go into a Celery result; of a larger one it tells"
        " where the answer lies.",
    )
    instill_bounding_box_key: Literal["bounding_box", "bounding-box"] = Field(
        default="bounding_box",
        description="What Instill's answers call a box: as its documents do, or its JSON Schema.",
    )
    api_keys: Path | None = Field(
        default=None,
        description="File of API keys (TOML), read again when it changes; once set, keys are due.",
    )
    require_api_keys: bool = Field(
        default=False,
        description="Answer nobody without an API key, even while there are none.",
    )
    label_studio_uploads: Path | None = Field(
        default=None,
        description="Where files uploaded to Label Studio lie: its data folder's media/upload.",
    )
    label_studio_local_files: Path | None = Field(
        default=None,
        description="What Label Studio serves local files from: its LOCAL_FILES_DOCUMENT_ROOT.",
    )
    grpc_port: int = Field(
        default=0,
        ge=0,
        le=65_535,
        description="Port of OIP v2 over gRPC; 0 for none. Needs the extra `grpc`.",
    )
    grpc_host: str = Field(
        default="127.0.0.1", description="Address that the gRPC port listens on."
    )

    scaling_target_wait_s: float = Field(
        default=30.0,
        ge=1,
        description="Seconds that an interactive job may wait for its start: what workers are"
        " wanted for (`GET /v2/scaling`, KEDA).",
    )
    scaling_bulk_target_wait_s: float = Field(
        default=3600.0,
        ge=1,
        description="Seconds that a job of the bulk lane may wait for its start.",
    )
    scaling_start_s: float = Field(
        default=30.0,
        ge=0,
        description="Seconds from asking for a worker until its process starts: a machine, an"
        " image. What its models take to load is known, and comes on top.",
    )
    scaling_down_after_s: float = Field(
        default=300.0,
        ge=1,
        description="Seconds for which fewer workers must have been enough before fewer are wanted,"
        " and without any work before none are.",
    )
    scaling_unknown_row_s: float = Field(
        default=0.1,
        gt=0,
        description="Device seconds that a row of a model counts as until a batch of it has run.",
    )
    scale_to_zero: str = Field(
        default="",
        description="Families that may have no worker, separated by commas; `*` for all. A scaler"
        " starts one when a job comes, so without any the server is ready, and the family's models"
        " are.",
    )

    @field_validator("scale_to_zero")
    @classmethod
    def _check_families(cls, value: str) -> str:
        unknown = [family for family in families_of(value) if family not in FAMILIES]
        if unknown:
            raise ValueError(f"no family {unknown[0]!r}; there are {', '.join(FAMILIES)}, or *")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, value: str) -> str:
        for origin in origins_of(value):
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"{origin!r} is no origin: it has a scheme, a host, and a port where that is "
                    "not the scheme's, and no path, as https://app.example.org"
                )
        return value


def origins_of(value: str) -> list[str]:
    """The origins of a list."""
    return value.replace(",", " ").split()


def families_of(value: str) -> tuple[str, ...]:
    """The families of a list; all for `*`."""
    return FAMILIES if value.strip() == "*" else tuple(value.replace(",", " ").split())
