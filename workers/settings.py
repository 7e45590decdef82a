from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from ..tasks.egress.settings import EndpointSettings


class WorkerSettings(EndpointSettings):
    """How one worker process runs."""

    model_config = SettingsConfigDict(env_prefix="WHERRY_", extra="ignore")

    models: Path = Field(
        default=Path("models.toml"), description="The declarations of the models to serve."
    )
    device: str = Field(
        default="cpu",
        description="cpu, cuda:N (pinned before torch loads), or auto: spread over the GPUs, and"
        " on the CPU what cannot use them. auto:N is worker N's share.",
    )
    events: Literal["jobs", "batches", "none", "off"] = Field(
        default="jobs",
        description="Celery events: a set for each of the `jobs`, sent while somebody listens, as"
        " Flower does; Celery's own for `batches`; or `none` (`off` is the same).",
    )
    max_batch_bytes: int = Field(
        default=67_108_864,
        ge=1,
        description="Bytes of payload that one batch may hold; one job always may.",
    )
    decode_threads: int = Field(
        default=0,
        ge=0,
        description="Threads that decode pictures, sounds, films and documents, for all batches of"
        " a worker. 0: as many as cores that it may use.",
    )
    max_decode_bytes: int = Field(
        default=1_073_741_824,
        ge=1,
        description="Bytes that what is being decoded may take at once, by its headers; one row"
        " always may.",
    )
    tenants_share_batches: bool = Field(
        default=True,
        description="Let a batch that one tenant does not fill take other tenants' jobs along.",
    )
    strict_models: bool = Field(
        default=False,
        description="Start no worker that cannot load all its models. Else it serves the others.",
    )
    max_model_bytes: int = Field(
        default=0,
        ge=0,
        description="Bytes that the loaded models of one worker may take; beyond, those used least"
        " lately are put away until a job comes. 0: all are loaded, and stay.",
    )
    tune: Literal["on", "off"] = Field(
        default="on",
        description="Whether the fastest backend is found by trying for models that name none; off,"
        " they are served by what their source is made for.",
    )
    tuned_dir: Path = Field(
        default=Path(".wherry/tuned"),
        description="Folder where what tuning found is kept, with the graphs that it wrote.",
    )
    tune_budget_s: float = Field(
        default=120.0, gt=0, description="Seconds that tuning may take for one model."
    )
    tune_max_bytes: int = Field(
        default=4 << 30,
        ge=0,
        description="Bytes of weights beyond which a model is not tuned.",
    )
    handler_dir: str = Field(  # no Path: an empty one would be the working directory
        default="",
        description="Directory of trusted custom handlers, and of models that bring an `adapter` or"
        " are a pickle: their code is run. Off when empty.",
    )
    health_file: str = Field(  # no Path: an empty one would be the working directory
        default="",
        description="File in which the worker says how it does, for the probes of containers and"
        " `python -P -m wherry.workers.health`. None when empty.",
    )
    batch_timeout_s: float = Field(
        default=600.0,
        gt=0,
        description="Seconds after which a batch counts as hung; the process then exits.",
    )
    store_failure: Literal["fail", "wait"] = Field(
        default="fail",
        description="When the blob store stays away: `fail` the job, or let it `wait` with its"
        " worker.",
    )
    store_wait_s: float = Field(
        default=120.0,
        gt=0,
        description="Seconds that jobs wait for a blob store that is away, before they fail.",
    )
    ticket_patience_s: float = Field(
        default=10.0,
        gt=0,
        description="Seconds without a ticket, while jobs wait and a thread is free, after which"
        " Celery's consumer is restarted.",
    )
    drain_timeout_s: float = Field(
        default=30.0,
        gt=0,
        description="Seconds that finished work may take to reach Redis at shutdown.",
    )
    pod_name: str = Field(
        default="",
        description="Name of the worker's own pod: Kubernetes is told what ending it costs, so that"
        " pods which run nothing go first. Empty: off.",
    )
    pod_credentials: Path = Field(
        default=Path("/var/run/secrets/kubernetes.io/serviceaccount"),
        description="Folder of the pod's service account, which may patch pods.",
    )
