"""What a server answers to pytriton's client: rate and latency by requests in flight.

Runs in an environment of nvidia-pytriton, against a fleet that has the model `tensor`, such as
`wherry up --sample-models --grpc-port 8751`:

    python -m venv load && load/bin/pip install nvidia-pytriton==0.7.0
    load/bin/python bench/pytriton_load.py http://127.0.0.1:8750 grpc://127.0.0.1:8751
"""

# mypy: ignore-errors
# What it imports is in its own environment.

from __future__ import annotations

import asyncio
import sys
import time
import warnings

import numpy as np
from pytriton.client import AsyncioModelClient

ROW = np.ones((1, 3), np.float32)
IN_FLIGHT, SECONDS, TRIES = (1, 8, 32), 4.0, 3


async def load(url: str, in_flight: int) -> tuple[float, float, float]:
    """Requests a second, and what half and 99 of 100 took at most, in ms."""
    took: list[float] = []
    async with AsyncioModelClient(url, "tensor") as client:
        await client.infer_batch(ROW)
        began = time.perf_counter()

        async def ask() -> None:
            while time.perf_counter() < began + SECONDS:
                asked = time.perf_counter()
                await client.infer_batch(ROW)
                took.append(time.perf_counter() - asked)

        await asyncio.gather(*(ask() for _ in range(in_flight)))
        lasted_s = time.perf_counter() - began
    took.sort()
    return len(took) / lasted_s, took[len(took) // 2] * 1e3, took[len(took) * 99 // 100] * 1e3


def main() -> None:
    """The best of some tries of each."""
    warnings.simplefilter("ignore")
    print("| | in flight | requests/s | p50 ms | p99 ms |\n|---|---|---|---|---|")
    for url in sys.argv[1:]:
        for in_flight in IN_FLIGHT:
            rate, half, most = max(asyncio.run(load(url, in_flight)) for _ in range(TRIES))
            print(f"| {url[:4]} | {in_flight} | {rate:.0f} | {half:.0f} | {most:.0f} |", flush=True)


main()
