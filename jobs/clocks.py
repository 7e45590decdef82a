"""Redis' clock, by which leases and ages are told, and how far another is from it."""

from __future__ import annotations

from .call import Call

#: Seconds that two clocks may differ before somebody should know.
APART_S = 2.0


def clock() -> Call[float]:
    """What Redis' clock says, in seconds since 1970."""
    return Call([("TIME",)], parse=lambda time: float(time[0]) + float(time[1]) / 1e6)


def ahead_of(theirs: float, before: float, after: float) -> float:
    """Seconds that a clock is ahead of another, which said `theirs` between two looks at the first.

    What may be the reply's way is no fault of a clock.
    """
    return max(before - theirs, 0.0) + min(after - theirs, 0.0)


def in_words(ahead_s: float) -> str:
    """How far a clock is from Redis'."""
    return f"{abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} Redis'"
