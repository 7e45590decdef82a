"""SubRip's .srt, which nothing specifies: numbered cues with times that have a comma, in UTF-8."""

from __future__ import annotations

from typing import ClassVar

from .cues import Cue
from .subtitles import Subtitles, clock


class SubRip(Subtitles):
    """Cues in order, counted from 1. `-->` in a text, which would look like times, is `->`."""

    SUFFIX: ClassVar[str] = ".srt"

    def _cue(self, number: int, cue: Cue) -> str:
        times = " --> ".join(clock(ms, ",") for ms in (cue.start, cue.end))
        return f"{number}\n{times}\n{cue.text.replace('-->', '->')}\n\n"
