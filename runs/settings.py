from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from ..tasks.egress.settings import UrlSettings


class RunSettings(UrlSettings):
    """How one run worker works."""

    model_config = SettingsConfigDict(env_prefix="WHERRY_", extra="ignore")

    api_url: str = Field(
        default="http://127.0.0.1:8750",
        description="The fleet's own API, which run workers send the rows of runs to.",
    )
    run_dir: Path = Field(
        default=Path(".wherry/runs"),
        description="Folder for what a run worker is at: ledgers of shards, outputs before they"
        " are in their places.",
    )
    run_shard_rows: int = Field(
        default=20_000, ge=1, description="Rows of texts and tables in one shard of a run, at most."
    )
    run_shard_files: int = Field(
        default=2_000,
        ge=1,
        description="Rows of pictures, sounds and other files in one shard of a run, at most.",
    )
    run_settle_s: float = Field(
        default=2.0,
        ge=0,
        description="Seconds that a file of a followed folder must stand still before it is read."
        " Objects of a bucket appear whole, and are read at once.",
    )
    run_segment_s: float = Field(
        default=3.0,
        gt=0,
        description="Seconds after which the answers of a shard are put into the blob store: what a"
        " killed run worker has computed again, at most.",
    )
    run_segment_bytes: int = Field(
        default=8_388_608, ge=1, description="Bytes of answers that are put there earlier."
    )
    run_steal_s: float = Field(
        default=10.0,
        ge=0,
        description="Seconds that are to be gained by it, at least, where a run worker that has"
        " nothing to do takes a shard over from one that is slower than others; 0 never.",
    )
    health_file: str = Field(  # no Path: an empty one would be the working directory
        default="",
        description="File in which a run worker says how it does, for the probes of containers and"
        " `python -P -m wherry.workers.health`. None when empty.",
    )
