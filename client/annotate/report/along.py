"""How labels, scores and failures go along the source: a column a stretch, in two rows of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from .colours import PALETTE, Colours
from .markup import count, escaped, number

#: Units of a chart: width of a column with its gap, height.
_COLUMN, _GAP, _HEIGHT = 20.0, 1.0, 100.0

#: Greys of what is no label of its own, legible on a light and on a dark page.
_OTHERS, _NONE, _BAD = "#8a93a0", "#c3c9d1", PALETTE[3].css


def along(told: Mapping[str, Any], drift: Sequence[Mapping[str, Any]], colours: Colours) -> str:
    """Charts of stretches, as `stretches_view` tells of them; "" where one stretch has all."""
    stretches: Sequence[Mapping[str, Any]] = told["stretches"]
    if len(stretches) < 2:
        return ""
    parts = []
    kinds = [kind for kind in _kinds(told["labels"], colours) if any(map(kind.rows_of, stretches))]
    if any(sum(each["labels"]) + each["other_labels"] for each in stretches):
        title = "Share of each row's first label along the source"
        parts.append(f"<h3>{title}</h3>{_labels(stretches, kinds, title)}{_legend(kinds)}")
    if any(each["mean_score"] is not None for each in stretches):
        title = "Mean of each row's highest score along the source, from 0 to 1"
        parts.append(f"<h3>{title}</h3>{_scores(stretches, title)}")
    if not parts:
        return ""
    first, last = stretches[0]["first"], stretches[-1]["first"] + stretches[-1]["rows"]
    axis = f"<p class=axis><span>row {count(first)}</span><span>{count(last - 1)}</span></p>"
    return f"{_notes(drift)}{''.join(parts)}{axis}{_table(stretches, kinds)}"


def _notes(drift: Sequence[Mapping[str, Any]]) -> str:
    if not drift:
        return "<p class=note>No stretch plainly differs from the rest.</p>"
    lines = (
        f"<li>rows {count(each['first'])}-{count(each['end'] - 1)}: {escaped(each['told'])}</li>"
        for each in drift
    )
    return f"<ul class=drift>{''.join(lines)}</ul>"


class _Kind(NamedTuple):
    """What becomes of a row."""

    name: str
    colour: str
    #: How many rows of a stretch.
    rows_of: Callable[[Mapping[str, Any]], int]


def _kinds(labels: Sequence[str], colours: Colours) -> list[_Kind]:
    own = [
        _Kind(label, colours[label].css, lambda each, at=at: each["labels"][at])  # type: ignore[misc] # mypy has no defaults here
        for at, label in enumerate(labels)
    ]
    return [
        *own,
        _Kind("other labels", _OTHERS, lambda each: int(each["other_labels"])),
        _Kind("no label", _NONE, lambda each: int(each["no_label"])),
        _Kind("failed", _BAD, lambda each: int(each["failed"])),
    ]


def _labels(stretches: Sequence[Mapping[str, Any]], kinds: Sequence[_Kind], title: str) -> str:
    rects = []
    for place, each in enumerate(stretches):
        bottom = _HEIGHT
        for kind in kinds:
            found = kind.rows_of(each)
            if found:
                height = _HEIGHT * found / each["rows"]
                bottom -= height
                told = f"{_span(each)}: {escaped(kind.name)} {count(found)}"
                rects.append(_rect(place, bottom, height, f' style="fill:{kind.colour}"', told))
    return _chart(rects, len(stretches), title)


def _scores(stretches: Sequence[Mapping[str, Any]], title: str) -> str:
    rects = []
    for place, each in enumerate(stretches):
        mean = each["mean_score"]
        if mean is not None:
            height = _HEIGHT * mean
            rects.append(_rect(place, _HEIGHT - height, height, "", f"{_span(each)}: {mean:.2f}"))
    return _chart(rects, len(stretches), title)


def _rect(place: int, top: float, height: float, more: str, told: str) -> str:
    return (
        f'<rect x="{number(place * _COLUMN)}" y="{number(top)}" '
        f'width="{number(_COLUMN - _GAP)}" height="{number(height)}"{more}>'
        f"<title>{told}</title></rect>"
    )


def _chart(rects: Sequence[str], columns: int, title: str) -> str:
    box = f"0 0 {number(_COLUMN * columns)} {number(_HEIGHT)}"
    return (
        f'<svg class="histogram low" viewBox="{box}" role="img" preserveAspectRatio="none" '
        f'aria-label="{escaped(title)}">{"".join(rects)}</svg>'
    )


def _legend(kinds: Sequence[_Kind]) -> str:
    entries = (
        f'<li><i style="background:{kind.colour}"></i><bdi>{escaped(kind.name)}</bdi></li>'
        for kind in kinds
    )
    return f"<ul class=items>{''.join(entries)}</ul>"


def _span(each: Mapping[str, Any]) -> str:
    return f"rows {count(each['first'])} to {count(each['first'] + each['rows'] - 1)}"


def _table(stretches: Sequence[Mapping[str, Any]], kinds: Sequence[_Kind]) -> str:
    heads = ("rows", *(kind.name for kind in kinds), "mean score")
    head = "".join(f"<th scope=col>{escaped(name)}</th>" for name in heads)
    body = "".join(_cells(each, kinds) for each in stretches)
    return (
        "<details><summary>The numbers</summary><div class=scroll><table><thead>"
        f"<tr>{head}</tr></thead><tbody>{body}</tbody></table></div></details>"
    )


def _cells(each: Mapping[str, Any], kinds: Sequence[_Kind]) -> str:
    mean = each["mean_score"]
    values = [*(count(kind.rows_of(each)) for kind in kinds), "" if mean is None else f"{mean:.2f}"]
    cells = "".join(f"<td>{value}</td>" for value in values)
    return f"<tr><th scope=row>{_span(each).removeprefix('rows ')}</th>{cells}</tr>"
