"""What is told of jobs' ends, as Flower hears it."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Celery

from wherry.jobs.finish import Finished
from wherry.jobs.record import Outcome
from wherry.workers.events import JobEvents


class Heard(JobEvents):
    """Events that are kept, not sent."""

    def __init__(self) -> None:
        super().__init__(Celery(), "node")
        self.heard: list[tuple[str, str]] = []

    def _put(self, event: Any) -> None:
        self.heard.append((event.type, event.fields["uuid"]))


@pytest.mark.parametrize(
    ("outcome", "accepted", "canceled", "heard"),
    [
        (Outcome(id="a", attempt=1, result=b"{}"), {"a"}, set(), ["task-succeeded"]),
        (Outcome(id="a", attempt=1, error_type="e", error="no"), {"a"}, set(), ["task-failed"]),
        (Outcome(id="a", attempt=1, result=b"{}"), {"a"}, {"a"}, ["task-revoked"]),
        (Outcome(id="a", attempt=1, error_type="e", error="no"), {"a"}, {"a"}, ["task-revoked"]),
        (Outcome(id="a", attempt=1, result=b"{}"), set(), set(), []),
    ],
)
def test_a_jobs_end_is_told_as_it_was_written_down(
    outcome: Outcome, accepted: set[str], canceled: set[str], heard: list[str]
) -> None:
    events = Heard()
    events.finished([outcome], Finished(frozenset(accepted), frozenset(canceled)), 0.1)
    assert events.heard == [(kind, "a") for kind in heard]
