"""What is written down of a run that follows its source."""

from __future__ import annotations

from pydantic import BaseModel


class SeenPiece(BaseModel):
    """A part of what a followed run has seen of its source, sorted, in the store."""

    name: str
    files: int


class StalePiece(BaseModel):
    """A part whose files others have: it goes from the store when nobody can want it any more."""

    name: str
    at_ms: int


class Replaced(BaseModel):
    """A shard that another stands for, and what is still in the store of it."""

    at_ms: int
    number: int
    #: Of its rows and its sheet, of its answers, of its list of files.
    names: list[str]
    segments: list[str]
    files: list[str]
    #: Its part of the output, as `RunOutput` has it.
    piece: str
    parts: int


class RunFollow(BaseModel):
    """Where a run stands that follows its source."""

    since_ms: int
    #: Its last look, and the last that found something new.
    looked_at_ms: int | None = None
    found_at_ms: int | None = None
    #: Files that were found new; those that wait for company, or to stand still.
    files: int = 0
    waiting: int = 0
    waiting_since_ms: int | None = None
    #: Of those that wait, the ones that only a look at the whole source finds again.
    behind: int = 0
    #: Files that are no rows, by suffix, as the last whole look met them.
    left_out: dict[str, int] = {}
    #: What kept the last look from all of the source; "" for nothing.
    trouble: str = ""
    seen: list[SeenPiece] = []
    stale: list[StalePiece] = []
    #: The path up to which whole looks have everything, where keys are flat.
    last: str = ""
    #: When the last look at the whole source began, and the seconds that it took.
    whole_at_ms: int = 0
    whole_s: float = 0.0
    #: When the last look was first taken; None before.
    finishing_since_ms: int | None = None
    #: Shards that were done when small ones were last looked for, to be put together.
    folded_at: int = 0
    replaced: list[Replaced] = []
