"""How many workers there were over a day, as an SVG picture: a strip a way to scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from .day import DAY_S

_WIDTH, _LEFT, _RIGHT, _STRIP, _TITLE = 760, 34, 10, 74, 22

#: Steps of a day: the most workers of each are drawn.
_STEPS = 360

_STYLE = (
    "text{font:12px sans-serif;fill:#333}.title{font-weight:bold}.tick{text-anchor:middle}"
    ".most{text-anchor:end}.area{fill:#9db4c8}.own{fill:#0b6e99}.line{stroke:#ccc}"
)


def picture(series: Mapping[str, Sequence[tuple[float, int]]]) -> str:
    """A strip each, all on one scale."""
    most = max(count for changes in series.values() for _, count in changes)
    parts, y = [], 8.0
    for name, changes in series.items():
        y += _TITLE
        own = " own" if "ours" in name else ""
        parts.append(f'<text x="{_LEFT}" y="{y - 7:.0f}" class="title">{escape(name)}</text>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 10:.0f}" class="most">{most}</text>')
        parts.append(f'<path d="{_area(changes, most, y)}" class="area{own}"/>')
        y += _STRIP
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.0f}" y2="{y:.0f}" class="line"/>'
        )
    for hour in range(0, 25, 3):
        x = _LEFT + (_WIDTH - _LEFT - _RIGHT) * hour / 24
        parts.append(f'<text x="{x:.0f}" y="{y + 16:.0f}" class="tick">{hour}:00</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y + 24:.0f}" role="img">'
        f"<title>Workers over a day</title><style>{_STYLE}</style>"
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _area(changes: Sequence[tuple[float, int]], most: int, y: float) -> str:
    """A path with a step for each piece of the day."""
    counts, at, now = [], 0, 0
    for step in range(_STEPS):
        highest = now
        while at < len(changes) and changes[at][0] < DAY_S * (step + 1) / _STEPS:
            now = changes[at][1]
            highest = max(highest, now)
            at += 1
        counts.append(highest)
    width = (_WIDTH - _LEFT - _RIGHT) / _STEPS
    base = y + _STRIP
    points = [f"M{_LEFT} {base:.0f}"]
    for step, count in enumerate(counts):
        height = base - _STRIP * count / most
        points.append(f"V{height:.1f}H{_LEFT + width * (step + 1):.1f}")
    return "".join([*points, f"V{base:.0f}Z"])
