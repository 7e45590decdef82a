"""Sums over vectors: as they are by hand, and in a thread where there are many."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from wherry.api.core.vectors import all_shortened, products
from wherry.protocol.errors import InvalidRequest


class Watched(list[float]):
    """A vector that tells which threads read it."""

    def __init__(self, *values: float) -> None:
        super().__init__(values)
        self.threads: set[int] = set()

    def __iter__(self) -> Iterator[float]:
        self.threads.add(threading.get_ident())
        return super().__iter__()


@pytest.mark.parametrize(("count", "in_loop"), [(2, True), (200, False)])
def test_many_products_are_not_the_event_loops(count: int, in_loop: bool) -> None:
    own = Watched(1.0, 2.0)
    assert asyncio.run(products(own, [[3.0, float(n)] for n in range(count)])) == [
        3.0 + 2 * n for n in range(count)
    ]
    assert own.threads
    assert (own.threads == {threading.get_ident()}) is in_loop


def test_vectors_are_cut_and_of_length_1_again() -> None:
    vectors = [[3.0, 4.0, 5.0]] * 40
    assert asyncio.run(all_shortened(vectors, 2)) == [[0.6, 0.8]] * 40
    assert asyncio.run(all_shortened(vectors, None)) is vectors
    with pytest.raises(InvalidRequest, match=r"^dimensions: "):
        asyncio.run(all_shortened(vectors, 4))
