"""WebVTT (https://www.w3.org/TR/webvtt1/), which browsers and players show."""

from __future__ import annotations

from typing import ClassVar
from xml.sax.saxutils import escape

from .cues import Cue
from .subtitles import Subtitles, clock


class WebVtt(Subtitles):
    """Cues in order, counted from 1; `&`, `<` and `>` are escaped."""

    SUFFIX: ClassVar[str] = ".vtt"
    HEAD: ClassVar[str] = "WEBVTT\n"

    def _cue(self, number: int, cue: Cue) -> str:
        times = " --> ".join(clock(ms, ".") for ms in (cue.start, cue.end))
        return f"\n{number}\n{times}\n{escape(cue.text)}\n"
