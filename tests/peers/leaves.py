"""What an answer says, whichever library's model holds it. Standard library only."""

from __future__ import annotations

import hashlib
from typing import Any


def leaves(value: Any) -> list[str]:
    """Everything in a value, as text: files by their hash, None left out."""
    if isinstance(value, dict):
        return [leaf for entry in value.values() for leaf in leaves(entry)]
    if isinstance(value, list):
        return [leaf for entry in value for leaf in leaves(entry)]
    if isinstance(value, bytes):
        return [hashlib.sha256(value).hexdigest()[:12]]
    if value is None:
        return []
    return [f"{value:.4f}" if isinstance(value, float | int) else str(value)]
