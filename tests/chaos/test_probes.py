"""What a container's probes say of a real worker to which something happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from wherry.jobs.call import Queue
from wherry.jobs.group import Group
from wherry.jobs.record import NewJob
from wherry.jobs.settings import JobsSettings
from wherry.jobs.submit import submit
from wherry.ops.redis_server import RedisServer
from wherry.ops.services import worker_command
from wherry.workers import health

from ..support.models import model
from ..support.waiting import until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

GROUP = Group("text", "embedding", "1")


class Probed:
    """A worker as a process, its Redis, and its probes."""

    def __init__(self, folder: Path, redis: RedisServer) -> None:
        (folder / "models.toml").write_text(model("embedding"))
        self.redis, self.folder = redis, folder
        words = worker_command("text", 0)
        words[words.index("wherry.workers")] = "deaf_worker"
        given = {
            "WHERRY_REDIS_URL": redis.url,
            "WHERRY_MODELS": str(folder / "models.toml"),
            "WHERRY_STORE_URL": str(folder / "blobs"),
            "WHERRY_HEALTH_FILE": str(folder / "health"),
            "WHERRY_LEASE_TTL_S": "3",
            "WHERRY_TICKET_PATIENCE_S": "4",
            "PYTHONPATH": ":".join([str(Path(__file__).parent), *sys.path[1:]]),
        }
        self.log = folder / "worker.log"
        with self.log.open("w") as file:
            self.process = subprocess.Popen(
                words, env={**os.environ, **given}, stdout=file, stderr=subprocess.STDOUT
            )

    def probe(self, *arguments: str) -> str:
        """Why it is not; "" if it is."""
        done = subprocess.run(
            [sys.executable, "-P", "-m", "wherry.workers.health", *arguments],
            env={**os.environ, "WHERRY_HEALTH_FILE": str(self.folder / "health")},
            capture_output=True,
            text=True,
        )
        assert not done.stderr, done.stderr
        return "" if done.returncode == 0 else done.stdout.strip()

    def until_ready(self) -> None:
        until(lambda: self.probe("--ready"), lambda why: not why, timeout_s=90)


@pytest.fixture
def probed(tmp_path: Path) -> Iterator[Probed]:
    with RedisServer(tmp_path / "redis") as redis:
        worker = Probed(tmp_path, redis)
        try:
            worker.until_ready()
            yield worker
        finally:
            worker.process.send_signal(signal.SIGCONT)
            worker.process.kill()
            worker.process.wait(timeout=30)


def test_redis_away_leaves_it_alive_and_not_ready_until_it_is_back(probed: Probed) -> None:
    probed.redis.kill()
    until(lambda: probed.probe("--ready"), lambda why: why == "Redis is away")
    assert probed.probe() == ""
    probed.redis.start()
    probed.until_ready()
    assert probed.process.poll() is None


def test_a_deaf_consumer_is_seen_before_its_worker_ends_itself(probed: Probed) -> None:
    jobs = JobsSettings(redis_url=probed.redis.url)
    with Celery(broker=probed.redis.url, set_as_current=False) as sender:
        sender.control.broadcast("stall")
    queue = Queue(jobs.redis_url)
    try:
        job = NewJob(
            id="job",
            task="embedding",
            group=GROUP,
            payload=b"{}",
            header_length=2,
            fingerprint="f",
        )
        queue.run(submit(job, jobs))
    finally:
        queue.close()
    until(probed.probe, lambda why: "no ticket came for" in why)
    assert probed.process.wait(timeout=60) == 70


def test_a_frozen_process_is_not_alive_and_one_that_wakes_is_again(probed: Probed) -> None:
    probed.process.send_signal(signal.SIGSTOP)
    until(probed.probe, lambda why: "has not said a word" in why, timeout_s=2 * health.STALE_S)
    probed.process.send_signal(signal.SIGCONT)
    probed.until_ready()


def test_one_that_is_stopped_leaves_no_file(probed: Probed) -> None:
    probed.process.send_signal(signal.SIGTERM)
    assert probed.process.wait(timeout=60) == 0
    assert "no worker keeps it" in probed.probe()
