"""The plain service that the no-op figure is held against: FastAPI, Celery and Redis, one task per
request, results in Celery's backend. What a competent first version looks like.
"""

from __future__ import annotations

import asyncio
import os

from celery import Celery
from fastapi import FastAPI, Request

_REDIS_URL = os.environ["PLAIN_REDIS_URL"]

celery = Celery("plain", broker=_REDIS_URL, backend=_REDIS_URL)
celery.conf.update(task_ignore_result=False, result_expires=600)
app = FastAPI()


@celery.task(name="plain.echo")
def echo(body: str) -> str:
    """Do nothing."""
    return body[:16]


@app.post("/jobs")
async def submit(request: Request) -> dict[str, str]:
    """Enqueue a task."""
    body = (await request.body()).decode()
    result = await asyncio.to_thread(echo.delay, body)
    return {"id": result.id}


@app.get("/jobs/{job_id}")
async def poll(job_id: str) -> dict[str, str]:
    """Its state, and its result when there is one."""
    result = celery.AsyncResult(job_id)
    state = await asyncio.to_thread(lambda: result.state)
    return {"state": state, "result": result.result if state == "SUCCESS" else ""}


@app.post("/infer")
async def infer(request: Request) -> dict[str, str]:
    """Enqueue a task and wait for its result."""
    body = (await request.body()).decode()
    result = await asyncio.to_thread(echo.delay, body)
    return {"result": await asyncio.to_thread(result.get, timeout=60, interval=0.005)}
