from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from wherry.jobs.group import Group
from wherry.jobs.record import ClaimedJob
from wherry.protocol.errors import Unavailable
from wherry.workers.quarantine import Quarantine


def job(name: str, *, suspect: bool = False) -> ClaimedJob:
    return ClaimedJob(
        id=name,
        group=Group("text", "embedding", "1"),
        attempt=1,
        rows=1,
        header_length=0,
        payload_key="",
        payload_ref="",
        created_at_ms=0,
        is_suspect=suspect,
    )


def test_a_suspect_runs_with_nothing_beside_it_and_the_others_side_by_side():
    beside: dict[str, set[str]] = {}
    running: set[str] = set()
    lock, quarantine = threading.Lock(), Quarantine(lambda job_id: None)

    def run(name: str, suspect: bool) -> None:
        with quarantine.around([job(name, suspect=suspect)]):
            with lock:
                running.add(name)
                for each in running:
                    beside.setdefault(each, set()).update(running)
            threading.Event().wait(0.002)
            with lock:
                running.discard(name)

    with ThreadPoolExecutor(6) as pool:
        done = [pool.submit(run, f"{n}", n % 4 == 0) for n in range(60)]
    assert all(future.result() is None for future in done)
    for name, seen in beside.items():
        if int(name) % 4 == 0:
            assert seen == {name}
    assert any(len(seen) > 1 for seen in beside.values())


def test_it_notes_the_suspect_while_it_runs():
    noted: list[str] = []
    quarantine = Quarantine(noted.append)
    with quarantine.around([job("a", suspect=True)]):
        assert noted == ["a"]
    with quarantine.around([job("b"), job("c")]), quarantine.around([job("d")]):
        pass
    assert noted == ["a", ""]


def test_a_batch_that_raises_or_a_redis_that_is_away_blocks_nobody():
    def away(job_id: str) -> None:
        raise Unavailable

    quarantine = Quarantine(away)
    with pytest.raises(KeyError), quarantine.around([job("a", suspect=True)]):
        raise KeyError
    with quarantine.around([job("b")]):
        pass
