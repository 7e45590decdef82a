"""What `bench.memory` runs with each checkout's own Python: jobs of a short text in Redis.

Measures each time that a line comes on its standard input, and prints a JSON object.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import redis
from fastapi.testclient import TestClient

from wherry.api.app import create_app
from wherry.api.settings import ApiSettings
from wherry.jobs import Group, JobsSettings, NewJob, Outcome, Queue
from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.finish import finish
from wherry.jobs.record import BatchStats
from wherry.jobs.script import script
from wherry.jobs.submit import submit
from wherry.ops.services import worker_command

GROUP = Group("text", "sentiment", "1")
WORKER = "text-0@vm#681d1eb3"

#: What the API stores of one text of eight words, and what a worker answers, byte for byte.
PAYLOAD = (
    b'{"parameters":{"truncate":true,"truncation_direction":"right"},"inputs":[{"name":"text",'
    b'"shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":48}}]}'
    b",\0\0\0a short text of a few words, as comments are"
)
HEADER_LENGTH = PAYLOAD.index(b",\0\0\0a")
RESULT = (
    '{{"model_name":"sentiment","model_version":"1","id":"{id}","outputs":[{{"name":"label",'
    '"shape":[1,2],"datatype":"BYTES","data":[["calm","storm"]]}},{{"name":"score","shape":[1,2],'
    '"datatype":"FP32","data":[[0.75,0.25]]}}]}}'
)


class Jobs:
    """One Redis, its jobs, and a worker that is driven by hand."""

    def __init__(self, url: str, prefix: str) -> None:
        self.queue = Queue(url)
        self.redis: Any = self.queue.redis  # redis-py types an answer as all it may ever be
        self.settings = JobsSettings(redis_url=url, key_prefix=prefix, max_waiting=10_000_000)
        for name in ("submit", "claim", "finish"):
            self.redis.script_load(script(name).text)
        self._numbers = itertools.count(time.time_ns() // 1_000_000 << 80)

    def used(self, section: str, *fields: str) -> float:
        """A figure of INFO, or the sum of some."""
        found = self.redis.info(section)
        return sum(float(found[field]) for field in fields)

    def _new(self, group: Group) -> NewJob:
        job_id = uuid.UUID(int=next(self._numbers), version=4)
        return NewJob(
            id=str(job_id),
            task="text-classification",
            group=group,
            payload=PAYLOAD,
            header_length=HEADER_LENGTH,
            fingerprint=uuid.uuid4().hex,
        )

    def add(self, count: int, *, group: Group = GROUP, keep_tickets: bool = False) -> None:
        """Submit jobs, 32 in a round trip."""
        for first in range(0, count, 32):
            with self.redis.pipeline(transaction=False) as pipe:
                for _ in range(min(32, count - first)):
                    submit(self._new(group), self.settings).queue_on(pipe)
                pipe.execute()
        if not keep_tickets:  # which Celery would take
            self.redis.delete(GROUP.queue_key)

    def serve(self, rows: int) -> Iterator[int]:
        """Claim and finish batches until nothing waits."""
        budgets = {GROUP.model_id: BatchBudget(max_rows=rows)}
        while jobs := self.queue.run(claim(GROUP, WORKER, budgets, self.settings)).jobs:
            outcomes = []
            for job in jobs:
                body = RESULT.format(id=job.id).encode()
                done = Outcome(id=job.id, attempt=job.attempt, result=body, header_length=len(body))
                outcomes.append(done)
            stats = BatchStats(
                group=GROUP, rows=len(jobs), max_rows=rows, executions=1, sizes=(len(jobs),)
            )
            self.queue.run(finish(WORKER, outcomes, stats, self.settings))
            yield len(jobs)
        self.redis.delete(GROUP.queue_key)


def memory(jobs: Jobs, count: int) -> dict[str, float]:
    """Bytes a waiting job, and a finished one with its result, all keys together."""
    jobs.add(1)
    list(jobs.serve(1))  # scripts, counters
    empty = jobs.used("memory", "used_memory")
    jobs.add(count)
    waiting = jobs.used("memory", "used_memory")
    for _ in jobs.serve(256):
        pass
    finished = jobs.used("memory", "used_memory")
    return {"waiting": (waiting - empty) / count, "finished": (finished - empty) / count}


def cpu(jobs: Jobs, count: int, rows: int) -> dict[str, float]:
    """Redis' CPU in us, and its commands, a job from submit to finish, in batches of some rows."""
    spent = jobs.used("cpu", "used_cpu_user", "used_cpu_sys")
    before = _calls(jobs)
    for _ in range(count // rows):
        jobs.add(rows)
        for _ in jobs.serve(rows):
            pass
    spent = jobs.used("cpu", "used_cpu_user", "used_cpu_sys") - spent
    return {"cpu_us": spent / count * 1e6, "commands": (_calls(jobs) - before) / count}


def _calls(jobs: Jobs) -> int:
    return sum(int(stats["calls"]) for stats in jobs.redis.info("commandstats").values())


@contextlib.contextmanager
def worker(jobs: Jobs, folder: Path) -> Iterator[int]:
    """A worker of this checkout that serves the stub; its process."""
    env = {
        **os.environ,
        "WHERRY_REDIS_URL": jobs.settings.redis_url,
        "WHERRY_KEY_PREFIX": jobs.settings.key_prefix,
        "WHERRY_MODELS": str(_declared(folder)),
        "WHERRY_STORE_DIR": str(folder / "blobs"),
    }
    process = subprocess.Popen(worker_command("text", 0), env=env)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


_MODELS = """
[[models]]
name = "sentiment"
task = "text-classification"
backend = "stub"
max_batch_size = 32
"""


def _declared(folder: Path) -> Path:
    models = folder / "models.toml"
    models.write_text(_MODELS)
    return models


def worked(jobs: Jobs, count: int, pid: int) -> dict[str, float]:
    """A worker's CPU in us a job, which does nothing but travel."""
    before, done = _cpu_s(pid), _succeeded(jobs)
    jobs.add(count, keep_tickets=True)
    while _succeeded(jobs) < done + count:
        time.sleep(0.05)
    return {"cpu_us": (_cpu_s(pid) - before) / count * 1e6}


def _succeeded(jobs: Jobs) -> int:
    return int(jobs.redis.hget(f"{jobs.settings.key_prefix}:totals", "succeeded") or 0)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def listener(url: str) -> Iterator[None]:
    """Whoever reads all events, as Flower does."""
    connection: Any = redis.Redis.from_url(url).pubsub()
    connection.psubscribe("/0.celeryev/*")
    stopped = threading.Event()

    def hear() -> None:
        while not stopped.is_set():
            connection.get_message(timeout=0.1)

    thread = threading.Thread(target=hear)
    thread.start()
    yield
    stopped.set()
    thread.join()
    connection.close()


def queues(jobs: Jobs, count: int, folder: Path) -> dict[str, float]:
    """How long one call of GET /v2/queues holds Redis up at most, in ms, and how many there are."""
    for number in range(count):
        jobs.add(1, group=Group("text", "sentiment", "1", digest=f"d{number}"))
    settings = ApiSettings(models=_declared(folder))
    with TestClient(create_app(settings, jobs.settings)) as client:
        client.get("/v2/queues")
        return _blocked(jobs, lambda: len(client.get("/v2/queues").json()["queues"]) >= count)


def listed(jobs: Jobs, count: int, folder: Path) -> dict[str, float]:
    """The same of a list of jobs whose filter matches none."""
    jobs.add(count)
    settings = ApiSettings(models=_declared(folder))
    with TestClient(create_app(settings, jobs.settings)) as client:
        client.get("/v2/jobs?status=failed")
        return _blocked(jobs, lambda: client.get("/v2/jobs?status=failed").is_success)


def _blocked(jobs: Jobs, work: Callable[[], bool]) -> dict[str, float]:
    jobs.redis.config_set("slowlog-max-len", 10_000)
    jobs.redis.config_set("slowlog-log-slower-than", 0)
    longest, calls = [], 0
    for _ in range(5):
        jobs.redis.slowlog_reset()
        assert work()
        found = [
            e["duration"] for e in jobs.redis.slowlog_get(10_000) if b"EVALSHA" in e["command"]
        ]
        longest.append(max(found) / 1000)
        calls = len(found)
    return {"longest_ms": statistics.median(longest), "calls": calls}


def main() -> None:
    """Measure one thing each time that a line comes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["memory", "cpu", "worker", "listened", "queues", "list"])
    parser.add_argument("url")
    parser.add_argument("prefix")
    parser.add_argument("folder", type=Path)
    parser.add_argument("count", type=int)
    parser.add_argument("rows", type=int)
    options = parser.parse_args()
    jobs, count = Jobs(options.url, options.prefix), options.count
    what: dict[str, Callable[[], dict[str, float]]] = {
        "memory": lambda: memory(jobs, count),
        "cpu": lambda: cpu(jobs, count, options.rows),
        "queues": lambda: queues(jobs, count, options.folder),
        "list": lambda: listed(jobs, count, options.folder),
    }
    with contextlib.ExitStack() as stack:
        if options.what in {"worker", "listened"}:
            pid = stack.enter_context(worker(jobs, options.folder))
            if options.what == "listened":
                stack.enter_context(listener(options.url))
            worked(jobs, 64, pid)  # it has started
            what[options.what] = lambda: worked(jobs, count, pid)
        print(json.dumps({}), flush=True)
        for _ in sys.stdin:
            print(json.dumps(what[options.what]()), flush=True)


if __name__ == "__main__":
    main()
