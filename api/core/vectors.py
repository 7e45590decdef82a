"""Vectors as clients ask for them."""

from __future__ import annotations

from collections.abc import Sequence

from ...protocol.errors import InvalidRequest
from ..http.body import off_loop

#: Vectors that the event loop does sums over: less than a millisecond or two.
_FEW = 16


async def all_shortened(vectors: list[list[float]], dimensions: int | None) -> list[list[float]]:
    """Each vector as `shortened` has it. Raises InvalidRequest."""
    if dimensions is None:
        return vectors
    return await off_loop(
        lambda: [shortened(vector, dimensions) for vector in vectors], large=len(vectors) > _FEW
    )


async def products(own: Sequence[float], others: Sequence[Sequence[float]]) -> list[float]:
    """The inner product of a vector and each of the others."""
    return await off_loop(
        lambda: [sum(a * b for a, b in zip(own, other, strict=True)) for other in others],
        large=len(others) > _FEW,
    )


def shortened(vector: list[float], dimensions: int | None) -> list[float]:
    """The first dimensions, at length 1 again (Kusupati et al., 2022). Raises InvalidRequest."""
    if dimensions is None or dimensions == len(vector):
        return vector
    if dimensions > len(vector):
        raise InvalidRequest(f"dimensions: this model's vectors have {len(vector)}")
    kept = vector[:dimensions]
    length = sum(value * value for value in kept) ** 0.5
    return [value / length for value in kept] if length else kept
