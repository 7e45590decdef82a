from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that keeps a model from being served, or may. One line: what it is, what to do."""

    text: str
    #: False for what need not keep it from being served.
    is_error: bool = True
