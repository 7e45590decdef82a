"""FastAPI, Celery and Redis, a task a request, results in Celery's backend: what a competent first
version looks like. `bench` and `bench.peers` hold this project against it.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import os
import subprocess
import sys
import threading

import uvicorn
from celery import Celery
from fastapi import FastAPI, Request

from .workloads import Workload, workload

_REDIS_URL = os.environ["PLAIN_REDIS_URL"]

celery = Celery("plain", broker=_REDIS_URL, backend=_REDIS_URL)
celery.conf.update(task_ignore_result=False, result_expires=600)
app = FastAPI()

#: One thread computes, as in every other server here; the others decode meanwhile.
_DEVICE = threading.Lock()


@functools.cache
def _loaded() -> Workload:
    return workload()


@celery.task(name="plain.work")
def work(body: str) -> str:
    """Answer one request."""
    model = _loaded()
    row = model.decode(base64.b64decode(body))
    with _DEVICE:
        return model.answer([row])[0]


@app.post("/infer")
async def infer(request: Request) -> dict[str, str]:
    """Enqueue a task and wait for its result."""
    body = base64.b64encode(await request.body()).decode()
    result = await asyncio.to_thread(work.delay, body)
    return {"result": await asyncio.to_thread(result.get, timeout=60, interval=0.005)}


def main(port: str) -> None:
    """Both halves, until the API ends."""
    worker = subprocess.Popen(
        [
            *(sys.executable, "-m", "celery", "-A", "bench.peers.plain_server:celery", "worker"),
            *("-P", "threads", "-c", "4", "--loglevel", "WARNING"),
        ]
    )
    try:
        uvicorn.run(app, host="127.0.0.1", port=int(port), access_log=False, log_level="warning")
    finally:
        worker.terminate()
        worker.wait()


if __name__ == "__main__":
    main(sys.argv[1])
