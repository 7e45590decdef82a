"""Python's collector of garbage cycles, in processes that live long and make none."""

from __future__ import annotations

import gc


def calm() -> None:
    """Look less often, and never at what there is by now: looking costs requests a twentieth, and
    rows that are read a tenth.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()  # some have begun without
