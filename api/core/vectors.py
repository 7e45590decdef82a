"""Vectors as clients ask for them."""

from __future__ import annotations

from ...protocol.errors import InvalidRequest


def shortened(vector: list[float], dimensions: int | None) -> list[float]:
    """The first dimensions, at length 1 again (Kusupati et al., 2022). Raises InvalidRequest."""
    if dimensions is None or dimensions == len(vector):
        return vector
    if dimensions > len(vector):
        raise InvalidRequest(f"dimensions: this model's vectors have {len(vector)}")
    kept = vector[:dimensions]
    length = sum(value * value for value in kept) ** 0.5
    return [value / length for value in kept] if length else kept
