"""What the answers of a model's endpoint have cost today, in all workers together."""

from __future__ import annotations

from .call import Call
from .keys import Keys
from .settings import JobsSettings

#: Seconds that a day's sum is kept: until every clock is over it.
_KEPT_S = 2 * 86_400


def add_spent(model_id: str, day: int, amount: float, settings: JobsSettings) -> Call[float]:
    """Add to a day's sum, and answer it. Sent twice it counts twice: on the side of caution."""
    key = Keys(settings.key_prefix).spent(model_id, day)
    begun = ("SET", key, "0", "NX", "EX", _KEPT_S)
    return Call([begun, ("INCRBYFLOAT", key, repr(amount))], parse=float)
