"""Bars as an SVG picture: a group a workload, a bar a server, drawn beside its figure."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

_WIDTH, _LEFT, _BAR, _GAP, _TITLE = 760, 130, 18, 6, 34


def bars(series: Mapping[str, Mapping[str, float]]) -> str:
    """Groups of bars, each group on a scale of its own."""
    parts, y = [], 10
    for title, values in series.items():
        y += _TITLE
        parts.append(f'<text x="8" y="{y - 12}" class="title">{escape(title)}</text>')
        most = max(values.values()) or 1.0
        for name, value in values.items():
            width = (_WIDTH - _LEFT - 90) * value / most
            text_y = y + _BAR - 5
            own = " own" if name in ("wherry", "auto") else ""
            parts.append(f'<text x="{_LEFT - 8}" y="{text_y}" class="name">{escape(name)}</text>')
            parts.append(
                f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR}" class="bar{own}"/>'
            )
            figure = f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
            parts.append(f'<text x="{_LEFT + width + 6:.1f}" y="{text_y}">{figure}</text>')
            y += _BAR + _GAP
        y += 8
    style = (
        "text{font:13px sans-serif;fill:#333}.title{font-weight:bold}.name{text-anchor:end}"
        ".bar{fill:#9db4c8}.own{fill:#0b6e99}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y + 6}" role="img">'
        f"<title>Servers side by side</title><style>{style}</style>"
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )
