"""How many cores a process may use."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")


def usable_cores(cgroups: Path = _CGROUPS) -> int:
    """The cores that the process is bound to, of which there may be fewer than the machine's, or
    fewer still where its container's quota is of fewer.
    """
    is_bound = hasattr(os, "sched_getaffinity")
    bound = len(os.sched_getaffinity(0)) if is_bound else os.cpu_count() or 1
    return max(1, min(bound, _quota(cgroups) or bound))


def _quota(cgroups: Path) -> int:
    """A container's quota in whole cores, as cgroups of version 2 or 1 tell it; 0 for none."""
    try:
        if (whole := cgroups / "cpu.max").exists():
            quota, period = whole.read_text(encoding="ascii").split()
        else:
            quota, period = (
                (cgroups / "cpu" / f"cpu.cfs_{name}_us").read_text(encoding="ascii")
                for name in ("quota", "period")
            )
        return -(-int(quota) // int(period)) if int(quota) > 0 else 0
    except (OSError, ValueError, ZeroDivisionError):  # no cgroups here, or "max"
        return 0
