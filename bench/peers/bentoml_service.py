"""BentoML: a service with one batched API."""

from __future__ import annotations

import os

import bentoml

from bench.peers.workloads import BATCH, workload


@bentoml.service(workers=1, traffic={"timeout": 60, "max_concurrency": 256})
class Service:
    """The model behind a route."""

    def __init__(self) -> None:
        self._workload = workload()

    @bentoml.api(
        batchable=True,
        max_batch_size=BATCH[os.environ["WORKLOAD"]],
        max_latency_ms=60_000,
        route="/infer",
    )
    def infer(self, rows: list[str]) -> list[str]:
        """Answer a batch."""
        decoded = [self._workload.decode(_bytes(row)) for row in rows]
        return self._workload.answer(decoded)


def _bytes(row: str) -> bytes:
    import base64

    return base64.b64decode(row)
