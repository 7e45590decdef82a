"""Which versions of Wherry can work on one queue: the form in which jobs lie in Redis, by number.

A process says which forms it reads and writes. Two can work together while they have one in common,
as this version and the one before it have: what they do otherwise is told by the heartbeats of
whoever is older (`Presence.wants_plain`). The number is for the change that nobody can bridge.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .. import __version__


class Build(NamedTuple):
    """What a process was built from: its version, and the queue formats that it can work with."""

    version: str
    oldest: int
    newest: int

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> Build:
        """What a process says of itself; the first format for one of before there were numbers."""
        told = info.get("queue_format")
        oldest, newest = told if isinstance(told, list) and len(told) == 2 else (1, 1)
        return cls(str(info.get("version", "")), int(oldest), int(newest))

    def info(self) -> dict[str, object]:
        """What a heartbeat carries of it."""
        return {"version": self.version, "queue_format": [self.oldest, self.newest]}

    @property
    def knows_formats(self) -> bool:
        """Whether it leaves a queue alone that it cannot work with: versions before do not."""
        return bool(self.version)

    @property
    def formats(self) -> str:
        """The formats, in words."""
        span = str(self.newest) if self.oldest == self.newest else f"{self.oldest}-{self.newest}"
        return f"{span} (Wherry {self.version})" if self.version else f"{span} (an earlier Wherry)"

    def why_not(self, other: Build, who: str) -> str:
        """Why this process cannot work beside another, called `who`; "" when they can."""
        if self.oldest <= other.newest and other.oldest <= self.newest:
            return ""
        if self.oldest > other.newest:
            how, end = "newer than", f"upgrade {who}, or run this one at its version"
        else:
            how, end = "older than", "upgrade this one"
        return (
            f"its queue format {self.formats} is {how} that of {who}, {other.formats}: {end}"
            " (docs/upgrading.md)"
        )


#: What this process was built from.
OURS = Build(__version__, 1, 1)
