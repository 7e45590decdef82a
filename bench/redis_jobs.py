"""What `bench.memory` runs with each checkout's own Python: jobs of a short text in Redis.

Prints one JSON object.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wherry.jobs import Group, JobsSettings, NewJob, Outcome, Queue
from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.finish import finish
from wherry.jobs.record import BatchStats
from wherry.jobs.script import script
from wherry.jobs.submit import submit
from wherry.ops.redis_server import RedisServer

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

    def __init__(self, url: str) -> None:
        self.queue = Queue(url)
        self.redis: Any = self.queue.redis  # redis-py types an answer as all it may ever be
        self.settings = JobsSettings(redis_url=url, max_waiting=10_000_000)
        for name in ("submit", "claim", "finish"):
            self.redis.script_load(script(name).text)
        self._numbers = itertools.count(time.time_ns() // 1_000_000 << 80)

    def used(self, section: str, *fields: str) -> float:
        """A figure of INFO, or the sum of some."""
        found = self.redis.info(section)
        return sum(float(found[field]) for field in fields)

    def _new(self) -> NewJob:
        job_id = uuid.UUID(int=next(self._numbers), version=4)
        return NewJob(
            id=str(job_id),
            task="text-classification",
            group=GROUP,
            payload=PAYLOAD,
            header_length=HEADER_LENGTH,
            fingerprint=uuid.uuid4().hex,
        )

    def add(self, count: int, at_once: int = 256) -> None:
        """Submit jobs, some in a round trip."""
        for first in range(0, count, at_once):
            with self.redis.pipeline(transaction=False) as pipe:
                for _ in range(min(at_once, count - first)):
                    submit(self._new(), self.settings).queue_on(pipe)
                pipe.execute()
        self.redis.delete(GROUP.queue_key)  # the ticket, which Celery would take

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
    jobs.add(rows, at_once=rows)
    list(jobs.serve(rows))
    spent = jobs.used("cpu", "used_cpu_user", "used_cpu_sys")
    before = _calls(jobs)
    for _ in range(count // rows):
        jobs.add(rows, at_once=rows)
        for _ in jobs.serve(rows):
            pass
    spent = jobs.used("cpu", "used_cpu_user", "used_cpu_sys") - spent
    return {"cpu_us": spent / count * 1e6, "commands": (_calls(jobs) - before) / count}


def _calls(jobs: Jobs) -> int:
    return sum(int(stats["calls"]) for stats in jobs.redis.info("commandstats").values())


def main() -> None:
    """Measure one thing."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["memory", "cpu"])
    parser.add_argument("count", type=int)
    parser.add_argument("--rows", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as folder:
        with RedisServer(Path(folder)) as server:
            jobs = Jobs(server.url)
            found = (
                memory(jobs, options.count)
                if options.what == "memory"
                else cpu(jobs, options.count, options.rows)
            )
    print(json.dumps(found))


if __name__ == "__main__":
    main()
