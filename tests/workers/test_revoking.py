"""Revokes as Celery's workers hear them, without a broker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from celery.worker.control import Panel

from wherry.jobs import Group, NewJob, Queue
from wherry.jobs.celery_tasks import is_revoked
from wherry.jobs.fleet_queue import open_blocking
from wherry.jobs.submit import submit
from wherry.protocol.errors import JobNotFound, Unavailable
from wherry.workers.canceling import cancel_anywhere
from wherry.workers.revoking import revoke_jobs

from ..support.redis_servers import redis_servers


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


def test_a_job_is_canceled_on_whichever_redis_it_is(tmp_path: Path) -> None:
    """Also one that came over HTTP, and is no Celery task."""
    with redis_servers(tmp_path, "text") as servers:
        settings = servers.settings
        near, whole = Queue(settings.redis_url), open_blocking(settings)
        try:
            for family in ("vision", "text"):
                group = Group(family, "model", "1")
                job = NewJob(
                    id=family,
                    task="task",
                    group=group,
                    payload=b"{}",
                    header_length=2,
                    fingerprint="f0",
                )
                whole.run(submit(job, settings))
                assert cancel_anywhere(family, near, whole, settings) == "queued"
                assert cancel_anywhere(family, near, whole, settings) == "canceled"
            for _ in range(2):
                with pytest.raises(JobNotFound):
                    cancel_anywhere("none-yet", near, whole, settings)
            assert near.run(is_revoked("none-yet", settings))
        finally:
            near.close()
            whole.close()
