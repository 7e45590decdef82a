"""What a client asked a run for."""

from __future__ import annotations

import hashlib
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from .group import BULK_PRIORITY
from .owned import NOBODY


class RunColumns(BaseModel):
    """Which columns of a table hold what; "" for the usual names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = ""
    #: Field of the task's Input -> column.
    fields: dict[str, str] = Field(default_factory=dict)


class RunSpec(BaseModel):
    """What a client asked for; it never changes."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str = ""
    tenant: str = NOBODY
    source: str
    #: Of a data base: a SELECT of the rows, and a column of unique values that orders them.
    query: str = ""
    order_by: str = ""
    #: Where the output goes; "" is kept in the fleet's store.
    out: str = ""
    model: str
    #: The version that the model must have; "" any.
    version: str = ""
    task: str = ""
    #: "" for what `out` says, else JSONL.
    format: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    inputs: dict[str, Any] = Field(default_factory=dict)
    columns: RunColumns = RunColumns()
    every: float | None = None
    frames: str | int | None = None
    split: dict[str, float] = Field(default_factory=dict)
    images: str = ""
    media_prefix: str = ""
    overwrite: bool = False
    #: Whether answers of the tenant's earlier runs are taken for rows that are the same.
    reuse: bool = True
    priority: int = BULK_PRIORITY
    #: Rows of a shard, at most; 0 for what the run workers think fit.
    shard_rows: int = Field(default=0, ge=0)
    #: Whether the source is watched: what comes new is answered too, until the run is finished.
    follow: bool = False
    #: Seconds between two looks; that new files wait for others to share their part; and after
    #: which the run is finished, from its creation on; None for when somebody says so.
    follow_every_s: float = Field(default=2.0, gt=0)
    part_every_s: float = Field(default=0.0, ge=0)
    follow_for_s: float | None = Field(default=None, gt=0)
    #: Rows that are answered first, after which the run is held; 0 for none.
    sample: int = Field(default=0, ge=0)
    max_errors: int | None = Field(default=None, ge=0)
    max_device_seconds: float | None = Field(default=None, gt=0)
    #: Seconds from its creation in which it must end.
    deadline_s: float | None = Field(default=None, gt=0)
    #: Seconds that it is kept once it has ended; 0 for ever.
    kept_s: int = Field(default=0, ge=0)
    #: URL to call at its end; "" for none.
    webhook: str = ""
    metadata: dict[str, str] | None = None
    #: Milliseconds since the epoch.
    created_at_ms: int
    #: The run that this is a clone of; "" for none.
    cloned_from: str = ""
    #: Whether pictures that look alike are looked for among all; else among those that are kept.
    near_duplicates: bool = False
    #: The run that its output is held against at its end; "" for none.
    compare: str = ""

    @property
    def fingerprint(self) -> str:
        """What tells it from another of its id: all but when it was made."""
        # A run of before there was a field is the same as one that leaves it as it is.
        unsaid = {name for name in _LATER if getattr(self, name) == _default(name)}
        text = self.model_dump_json(exclude={"created_at_ms", *unsaid})
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


#: Fields that runs of earlier versions lack.
_LATER = (
    *("query", "order_by", "reuse", "near_duplicates", "compare"),
    *("follow", "follow_every_s", "part_every_s", "follow_for_s"),
)


def _default(name: str) -> object:
    return RunSpec.model_fields[name].get_default(call_default_factory=True)
