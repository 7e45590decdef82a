"""A job has as many rows as one forward takes, and more of a model that is quick."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.client.annotate.job_size import JobSize, told_work
from wherry.protocol.errors import Unavailable

LEAST, MOST = 16, 256


class Counted:
    """A server that counts a model's work: so many ms a row, in three stages."""

    def __init__(self, ms: float) -> None:
        self.ms, self.rows, self.busy_ms = ms, 1000, 9e9
        self.is_away = False
        self.asked = 0

    def run(self, rows: int) -> None:
        self.rows += rows
        self.busy_ms += rows * self.ms

    def get(self, path: str) -> dict[str, Any]:
        assert path == "/v2/models/m/stats"
        self.asked += 1
        if self.is_away:
            raise Unavailable("away")
        ns = int(self.busy_ms * 1e6 / 3)
        stages = {s: {"ns": ns} for s in ("compute_input", "compute_infer", "compute_output")}
        return {"model_stats": [{"inference_count": self.rows, "inference_stats": stages}]}


def size_after(server: Any, jobs: int) -> JobSize:
    size = JobSize(told_work(server, "m"), LEAST, MOST)
    for _ in range(jobs):
        server.run(size.rows)
        size.answered()
    return size


@pytest.mark.parametrize(("ms", "rows"), [(0.01, MOST), (0.2, 96), (0.5, 32), (1, 16), (30, 16)])
def test_a_quick_models_jobs_take_20_ms_at_most(ms: float, rows: int) -> None:
    assert size_after(Counted(ms), 8).rows == rows


def test_until_something_is_known_a_job_is_a_forward() -> None:
    assert size_after(Counted(0.01), 7).rows == LEAST


def test_the_model_is_asked_ever_less() -> None:
    server = Counted(0.01)
    size_after(server, 64)
    assert server.asked == 1 + 4


def test_a_model_that_turns_slow_has_small_jobs_again() -> None:
    server = Counted(0.01)
    size = size_after(server, 8)
    server.ms = 30
    for _ in range(8):
        server.run(size.rows)
        size.answered()
    assert size.rows == LEAST


def test_where_nobody_knows_a_job_is_a_forward() -> None:
    server = Counted(0.01)
    server.is_away = True
    assert size_after(server, 20).rows == LEAST
    server = Counted(0.01)
    size = size_after(server, 7)
    server.rows = 0  # Redis began anew
    size.answered()
    assert size.rows == LEAST


def test_a_server_that_says_no_limit_gets_what_one_forward_takes() -> None:
    server: Any = Counted(0.01)
    size = JobSize(told_work(server, "m"), LEAST, 1)
    for _ in range(8):
        server.run(LEAST)
        size.answered()
    assert size.rows == LEAST
