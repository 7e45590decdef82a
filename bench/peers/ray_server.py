"""Ray Serve: one replica, batched by its decorator."""

from __future__ import annotations

import logging
import os
import signal

import ray
from ray import serve
from starlette.requests import Request

from bench.peers.workloads import BATCH, WAIT_S, workload


@serve.deployment(num_replicas=1, max_ongoing_requests=256, ray_actor_options={"num_cpus": 1})
class Model:
    """The model behind a route."""

    def __init__(self) -> None:
        self._workload = workload()

    @serve.batch(max_batch_size=BATCH[os.environ["WORKLOAD"]], batch_wait_timeout_s=WAIT_S)
    async def answer(self, bodies: list[bytes]) -> list[str]:
        """Answer a batch."""
        return self._workload.answer([self._workload.decode(body) for body in bodies])

    async def __call__(self, request: Request) -> str:
        """Answer a request."""
        return await self.answer(await request.body())


if __name__ == "__main__":
    ray.init(num_cpus=2, logging_level=logging.ERROR, include_dashboard=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["PORT"])})
    serve.run(Model.bind(), route_prefix="/infer")  # type: ignore[attr-defined] # its decorator's
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    ray.shutdown()
