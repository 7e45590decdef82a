"""Which flows of jobs the run workers of a fleet feed: those who feed the same share its room.

A flow is a tenant's jobs of one lane for one version of a model: they have one turn among others,
so what has to be in flight for that is one run worker's, or several's together.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

#: In what run workers say of themselves: the flows that each feeds.
FEEDS = "feeds"


def flow_of(model: str, version: str, tenant: str, priority: int) -> str:
    """What a flow is called."""
    return f"{priority} {tenant} {model}/{version}"


class Feeds:
    """The flows that this process feeds, and how many others feed each. Threads may share it."""

    def __init__(self, exchange: Callable[[], object]) -> None:
        """`exchange` has others told of `feeds`, and `heard` what they told."""
        self._exchange = exchange
        self._lock = threading.Lock()
        self._fed: Counter[str] = Counter()
        #: Fed since others were told last, and what they were told: between two shards of a run
        #: nobody is to believe that there is room for more.
        self._lately: Counter[str] = Counter()
        self._told: Counter[str] = Counter()
        self._others: Counter[str] = Counter()

    @contextmanager
    def feeding(self, flow: str) -> Iterator[None]:
        """Feed a flow. Raises Unavailable."""
        with self._lock:
            self._fed[flow] += 1
            self._lately[flow] = max(self._lately[flow], self._fed[flow])
            is_new = self._told[flow] < self._fed[flow]
        try:
            if is_new:  # at once: others are to leave room, and theirs is to be known
                self._exchange()
            yield
        finally:
            with self._lock:
                self._fed[flow] -= 1

    def feeds(self) -> list[str]:
        """What others are told: all that was fed since they were told last."""
        with self._lock:
            self._told, self._lately = self._lately, +self._fed
            return sorted(self._told.elements())

    def heard(self, others: Iterable[Mapping[str, Any]]) -> None:
        """Note what all other run workers that live said of themselves."""
        found: Counter[str] = Counter()
        for said in others:
            found.update(map(str, said.get(FEEDS, ())))
        with self._lock:
            self._others = found

    def sharers(self, flow: str) -> int:
        """How many feed a flow, oneself among them."""
        with self._lock:
            return max(1, self._fed[flow]) + self._others[flow]
