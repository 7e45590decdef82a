"""Revokes as Celery's workers hear them, without a broker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from celery.worker.control import Panel

from wherry.protocol.errors import JobNotFound, Unavailable
from wherry.workers.revoking import revoke_jobs


@pytest.fixture
def panel(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Any]:
    """Celery's commands; its own `revoke` says what it was given."""

    def celerys_own(state: object, task_id: object, **options: object) -> dict[str, object]:
        return {"ok": f"{task_id} {options}"}

    monkeypatch.setitem(Panel.data, "revoke", celerys_own)
    monkeypatch.setitem(Panel.data, "terminate", celerys_own)
    commands: Mapping[str, Any] = Panel.data
    return commands


class Jobs:
    """Jobs by name, and which were canceled."""

    def __init__(self, *names: str) -> None:
        self.names, self.canceled = names, list[str]()

    def cancel(self, job_id: str) -> str:
        if job_id == "done":
            return "succeeded"
        if job_id not in self.names:
            raise JobNotFound(f"no job {job_id!r}")
        self.canceled.append(job_id)
        return "queued"


@pytest.mark.parametrize("given", ["a", ["a"], ("a",)])
def test_a_revoke_cancels_the_job(panel: Mapping[str, Any], given: Any) -> None:
    jobs = Jobs("a", "acme:b")
    revoke_jobs(jobs.cancel)
    assert panel["revoke"](None, given) == {"ok": "jobs canceled: a"}
    assert panel["terminate"](None, "SIGTERM", ["a", "acme:b"]) == {
        "ok": "jobs canceled: a, acme:b"
    }
    assert jobs.canceled == ["a", "a", "acme:b"]


def test_a_job_that_has_ended_is_not_said_to_be_canceled(panel: Mapping[str, Any]) -> None:
    revoke_jobs(Jobs("a").cancel)
    assert panel["revoke"](None, "done") == {"ok": "done: already succeeded"}
    assert panel["revoke"](None, ["done", "a"]) == {
        "ok": "jobs canceled: a; done: already succeeded"
    }


def test_what_is_no_job_is_celerys(panel: Mapping[str, Any]) -> None:
    jobs = Jobs("a")
    revoke_jobs(jobs.cancel)
    said = "['x'] {'terminate': True, 'signal': 'KILL'}"
    assert panel["revoke"](None, "x", terminate=True, signal="KILL") == {"ok": said}
    both = panel["revoke"](None, ["a", "x"], terminate=True, signal="KILL")
    assert both == {"ok": f"jobs canceled: a; {said}"}


def test_a_redis_that_is_away_is_said(panel: Mapping[str, Any]) -> None:
    def away(job_id: str) -> str:
        raise Unavailable("the queue cannot be reached")

    revoke_jobs(away)
    assert panel["revoke"](None, "a") == {"error": "the queue cannot be reached"}
