"""What `wherry runs show` tells of a run's quality: a line of blocks, and what differs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

#: From nothing to all.
_BLOCKS = "▁▂▃▄▅▆▇█"

#: A share of failures in a stretch that has a line of blocks drawn.
_PLAIN = 0.05

#: Reasons and stretches that are told.
_FEW = 5


def quality_lines(quality: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A line a thing, each with its name; none of what there is none of."""
    told = quality["stretches"]
    stretches = told["stretches"]
    lines: list[tuple[str, str]] = []
    if len(stretches) > 1:
        lines += list(_along(told["labels"][:1], stretches))
    lines += _named("differs", (_drift(each) for each in quality["drift"][:_FEW]))
    if len(quality["drift"]) > _FEW:
        lines.append(("", f"and {len(quality['drift']) - _FEW:,} more stretches"))
    lines += _named("failures", (_failure(each) for each in quality["failures"][:_FEW]))
    near, compared = quality["near_duplicates"], quality["compared"]
    if near and near["duplicates"]:
        count = f"{near['duplicates']:,} of {near['pictures']:,} pictures look like one before"
        lines.append(("look alike", f"{count}, in {near['groups']:,} groups"))
    if near and near["blank"]:
        lines.append(("blank", f"{near['blank']:,} pictures show nothing"))
    if compared and compared["agreement"] is not None:
        agreed = f"{compared['agreement']:.1%}, the same first label"
        lines.append(
            ("agreement", f"{agreed} in {compared['same_first_label']:.1%}: {compared['run']}")
        )
    return lines


def _along(first: list[str], stretches: list[Mapping[str, Any]]) -> Iterable[tuple[str, str]]:
    means = [each["mean_score"] for each in stretches]
    if any(mean is not None for mean in means):
        known = [mean for mean in means if mean is not None]
        span = f"from {min(known):.2f} to {max(known):.2f}"
        yield "scores", f"{''.join(map(_block, means))}  mean along the source, {span}"
    for label in first:
        shares = [_share(each["labels"][0], each["rows"] - each["failed"]) for each in stretches]
        yield "", f"{''.join(map(_block, shares))}  share of {label}"
    shares = [_share(each["failed"], each["rows"]) for each in stretches]
    if any(share and share >= _PLAIN for share in shares):
        yield "", f"{''.join(map(_block, shares))}  share that failed"


def _share(count: int, of: int) -> float | None:
    return count / of if of else None


def _block(value: float | None) -> str:
    return " " if value is None else _BLOCKS[min(len(_BLOCKS) - 1, int(value * len(_BLOCKS)))]


def _drift(each: Mapping[str, Any]) -> str:
    return f"rows {each['first']:,}-{each['end'] - 1:,}: {each['told']}"


def _failure(each: Mapping[str, Any]) -> str:
    return f"{each['rows']:,} {each['error_type']}: {each['reason']} ({each['examples'][0]})"


def _named(name: str, told: Iterable[str]) -> list[tuple[str, str]]:
    return [(name if not at else "", line) for at, line in enumerate(told)]
