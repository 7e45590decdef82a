"""Rows a second by the rows of a batch, a line for each candidate, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from .verdict import Tried, Verdict

#: Of the picture, and of the room around the lines: left, right, top, bottom.
_WIDTH, _HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 250, 40, 50

#: Okabe and Ito's, which most people can tell apart.
_COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")

#: Lines across.
_TICKS = 4


def plot(verdict: Verdict, title: str) -> str:
    """The picture; candidates that were not timed are not in it."""
    shown = [each for each in verdict.tried if each.rows_per_s]
    sizes = sorted({size for each in shown for size in each.rows_per_s})
    highest = max((rate for each in shown for rate in each.rows_per_s.values()), default=1.0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="22" font-size="15">{escape(title)}</text>',
        *_axes(sizes, highest),
    ]
    for number, each in enumerate(shown):
        parts += _line(each, number, sizes, highest, is_chosen=each.candidate == verdict.chosen)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _axes(sizes: Sequence[int], highest: float) -> list[str]:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    parts = []
    for tick in range(_TICKS + 1):
        rate = highest * tick / _TICKS
        y = _y(rate, highest)
        parts += [
            f'<path d="M{_LEFT} {y:.1f}H{right}" stroke="#ddd"/>',
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{rate:.3g}</text>',
        ]
    for place, size in enumerate(sizes):
        x = _x(place, sizes)
        parts.append(f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{size}</text>')
    middle = (_LEFT + right) / 2
    parts.append(f'<text x="{middle}" y="{bottom + 40}" text-anchor="middle">rows a batch</text>')
    parts.append(f'<text x="{_LEFT - 60}" y="{_TOP - 8}" fill="#555">rows/s</text>')
    return parts


def _line(
    tried: Tried, number: int, sizes: Sequence[int], highest: float, *, is_chosen: bool
) -> list[str]:
    colour = _COLOURS[number % len(_COLOURS)]
    points = [
        (_x(place, sizes), _y(tried.rows_per_s[size], highest))
        for place, size in enumerate(sizes)
        if size in tried.rows_per_s
    ]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    said = tried.candidate.name + (" (chosen)" if is_chosen else "")
    right, top = _WIDTH - _RIGHT + 20, _TOP + 8 + 20 * number
    return [
        f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="{3 if is_chosen else 2}"/>',
        *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in points),
        f'<path d="M{right} {top}h18" stroke="{colour}" stroke-width="3"/>',
        f'<text x="{right + 24}" y="{top + 4}">{escape(said)}</text>',
    ]


def _x(place: int, sizes: Sequence[int]) -> float:
    room = _WIDTH - _LEFT - _RIGHT - 40
    return _LEFT + 20 + room * place / max(1, len(sizes) - 1)


def _y(rate: float, highest: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * rate / highest
