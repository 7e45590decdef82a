"""Which of the candidates that were tried serves a model."""

from __future__ import annotations

from collections.abc import Sequence

from .verdict import Tried

#: How much faster than the source's own backend another must be to be chosen: less is chance.
MARGIN = 1.05

#: How much slower it may be at other sizes than the one that counts: as much is chance.
_CHANCE = 1 / MARGIN


def choose(tried: Sequence[Tried]) -> tuple[Tried, str, int]:
    """The one to serve with, why, and at how many rows they were ranked.

    Ranked by the largest size that all were timed at: a batch is full when jobs wait, and that is
    when speed counts. None is chosen that was slower than the first at any size.
    """
    first, *others = tried
    able = [each for each in others if not each.refused and each.rows_per_s]
    sizes = set(first.rows_per_s).intersection(*(each.rows_per_s for each in able))
    if not able or not sizes:
        return first, _nothing(others), 0
    size = max(sizes)
    fair = [each for each in able if not _slower_at(each, first)]
    best = max(fair, key=lambda each: each.rows_per_s[size], default=first)
    gain = best.rows_per_s[size] / first.rows_per_s[size]
    if best is first or gain < MARGIN:
        seen = max(able, key=lambda each: each.rows_per_s[size])
        ratio = seen.rows_per_s[size] / first.rows_per_s[size]
        where = _slower_at(seen, first)
        told = f", and {where}" if where and ratio >= MARGIN else ""
        return (
            first,
            f"{seen.candidate.name} runs at {ratio:.2f} of its speed at {size} rows{told}",
            size,
        )
    return best, f"{gain:.2f} times as fast as {first.candidate.name} at {size} rows", size


def _slower_at(one: Tried, first: Tried) -> str:
    """At which size it is slower than the first; "" for none."""
    for size, rate in one.rows_per_s.items():
        if size in first.rows_per_s and rate < _CHANCE * first.rows_per_s[size]:
            return f"at {rate / first.rows_per_s[size]:.2f} of it at {size}"
    return ""


def _nothing(others: Sequence[Tried]) -> str:
    refused = [f"{each.candidate.name}: {each.refused}" for each in others if each.refused]
    if refused:
        return "nothing else serves it: " + "; ".join(refused)
    return "nothing was timed" if others else "nothing else serves such a source here"
