"""Charts: bars with their numbers beside them as text, and a histogram of scores.

Only the bars are SVG, stretched to the room there is: text keeps its size on a telephone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .markup import count, escaped, number

#: Bars of a chart; what is rarer is summed up.
_MOST_BARS = 20

#: Units of a histogram: width of a bin with its gap, height of the highest bar.
_BIN, _GAP, _HEIGHT = 20, 2, 100


def bars(
    values: Mapping[str, float],
    colour: Callable[[str], str],
    shown: Callable[[float], str] = count,
) -> str:
    """A bar for each name, in the order given; `shown` writes a value."""
    names = list(values)[:_MOST_BARS]
    highest = max((values[name] for name in names), default=0) or 1
    lines = [
        f"<li><bdi>{escaped(name)}</bdi>{_bar(values[name] / highest, colour(name))}"
        f"<b>{shown(values[name])}</b></li>"
        for name in names
    ]
    if len(values) > len(names):
        rest = sum(value for name, value in list(values.items())[_MOST_BARS:])
        lines.append(f"<li class=more>and {len(values) - len(names):,} more: {shown(rest)}</li>")
    return f"<ul class=bars>{''.join(lines)}</ul>"


def _bar(share: float, colour: str) -> str:
    return (
        '<svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{number(100 * share)}" height="1" fill="{colour}"/></svg>'
    )


def histogram(counts: Sequence[int], title: str) -> str:
    """Counts of bins of equal width from 0 to 1, with the numbers in a table to unfold."""
    highest = max(counts, default=0) or 1
    width = 1 / max(1, len(counts))
    rects, rows = [], []
    for place, found in enumerate(counts):
        height = _HEIGHT * found / highest
        span = f"{place * width:.2f} to {(place + 1) * width:.2f}"
        rects.append(
            f'<rect x="{place * _BIN + _GAP / 2:g}" y="{number(_HEIGHT - height)}" '
            f'width="{_BIN - _GAP}" height="{number(height)}"><title>{span}: {count(found)}'
            "</title></rect>"
        )
        rows.append(f"<tr><th scope=row>{span}</th><td>{count(found)}</td></tr>")
    return (
        f'<svg class="histogram" viewBox="0 0 {_BIN * len(counts)} {_HEIGHT}" role="img" '
        f'preserveAspectRatio="none" aria-label="{escaped(title)}">{"".join(rects)}</svg>'
        "<p class=axis><span>0</span><span>0.5</span><span>1</span></p>"
        f"<details><summary>The numbers</summary><table><tbody>{''.join(rows)}</tbody></table>"
        "</details>"
    )
