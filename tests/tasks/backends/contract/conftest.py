"""Models of the contract, made once a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .checks import Served
from .models import Pair, Workshop


@pytest.fixture(scope="module")
def workshop(
    tiny_model: Callable[[str], Path],
    tiny_graph: Callable[[str, str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Workshop:
    return Workshop(tiny_model, tiny_graph, tmp_path_factory.mktemp("contract"))


@pytest.fixture(scope="module")
def all_served(workshop: Workshop) -> Iterator[Callable[[Pair], Served]]:
    kept: dict[Pair, Served] = {}

    def serve(pair: Pair) -> Served:
        if pair not in kept:
            kept[pair] = Served(workshop.make(pair), pair)
        return kept[pair]

    yield serve
    for served in kept.values():
        served.backend.close()


@pytest.fixture
def served(all_served: Callable[[Pair], Served], pair: Pair) -> Served:
    return all_served(pair)
