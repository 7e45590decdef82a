"""Spans of time as people type them: 90s, 15m, 2h, 3d."""

from __future__ import annotations

import re

import typer

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


def seconds_of(text: str, option: str) -> float:
    """A span in seconds. Raises BadParameter that names the option."""
    found = _SPAN.fullmatch(text.strip())
    if not found:
        raise typer.BadParameter(f"{option} {text!r}: expected one like 90s, 15m, 2h or 3d")
    return float(found[1]) * _UNITS[found[2]]


def spoken(seconds: float) -> str:
    """A span in its largest whole unit."""
    unit = next((u for u in ("d", "h", "m") if seconds >= 2 * _UNITS[u]), "s")
    return f"{seconds / _UNITS[unit]:.0f} {unit}"
