"""What one tenant may have in the queue at once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TenantLimits:
    """A tenant's limits; 0 means none. Past one of them submit raises TenantLimit."""

    #: Jobs that may wait.
    max_waiting: int = 0
    #: Payload bytes of the jobs that wait.
    max_waiting_bytes: int = 0
    #: Jobs a second, over time; as many as a second allows may come at once, and one always may.
    submits_per_s: float = 0.0


#: What a tenant without limits has.
UNLIMITED = TenantLimits()
