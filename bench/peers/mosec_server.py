"""mosec: one process decodes, one computes. `--port` and such are its own arguments."""

from __future__ import annotations

import os
from typing import Any

from mosec import Server, Worker

from bench.peers.workloads import BATCH, WAIT_S, workload


class Decode(Worker):
    """Rows as the model is given them."""

    def __init__(self) -> None:
        super().__init__()
        self._workload = workload()

    def deserialize(self, data: bytes) -> bytes:
        """As it came."""
        return data

    def forward(self, data: bytes) -> Any:
        """Decode one."""
        return self._workload.decode(data)


class Answer(Worker):
    """The model."""

    def __init__(self) -> None:
        super().__init__()
        self._workload = workload()

    def forward(self, data: list[Any]) -> list[str]:
        """Answer a batch."""
        return self._workload.answer(data)

    def serialize(self, data: str) -> bytes:
        """As text."""
        return data.encode()


class Both(Answer):
    """One process for rows that need no decoding."""

    def deserialize(self, data: bytes) -> bytes:
        """As it came."""
        return data


if __name__ == "__main__":
    name = os.environ["WORKLOAD"]
    server = Server()
    if name == "vit":
        server.append_worker(Decode, num=1)
    server.append_worker(
        Answer if name == "vit" else Both,
        num=1,
        max_batch_size=BATCH[name],
        max_wait_time=int(WAIT_S * 1000),
    )
    server.run()
