"""Which versions of a model are served, where each has a folder in the model's, as in Triton."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

#: What Triton takes for a version: a number that does not begin with 0.
_VERSION = re.compile(r"[1-9]\d*")


class _Policy(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Latest(_Policy):
    """The greatest so many."""

    num_versions: int = Field(default=1, ge=1)


class AllVersions(_Policy):
    """Each that there is."""


class SpecificVersions(_Policy):
    """Those that are named."""

    versions: list[int] = Field(min_length=1)


class VersionPolicy(_Policy):
    """`latest = { num_versions = n }`, `all = {}`, or `specific = { versions = [1, 3] }`."""

    latest: Latest | None = None
    all: AllVersions | None = None
    specific: SpecificVersions | None = None

    @model_validator(mode="after")
    def _one(self) -> VersionPolicy:
        if sum(each is not None for each in (self.latest, self.all, self.specific)) != 1:
            raise ValueError("name one of latest, all and specific")
        return self

    def versions(self, folder: Path) -> list[str]:
        """The versions to serve of those in a folder, the greatest last.

        Raises ValueError that says what is missing.
        """
        if self.specific is not None:
            return [str(number) for number in sorted(set(self.specific.versions))]
        if not folder.is_dir():
            raise ValueError(
                f"there is no folder {folder} to find versions in; API and workers both look"
            )
        there = (path.name for path in folder.iterdir() if path.is_dir())
        found = sorted(int(name) for name in there if _VERSION.fullmatch(name))
        if not found:
            raise ValueError(f"{folder} holds no folder of a version, such as 1")
        kept = found if self.latest is None else found[-self.latest.num_versions :]
        return [str(number) for number in kept]
