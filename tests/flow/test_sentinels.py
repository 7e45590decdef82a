"""Celery's ways to a Redis that fails over: the workers' broker, and its users' results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from wherry.api.celery.results import celery_app
from wherry.api.settings import ApiSettings
from wherry.jobs import JobsSettings
from wherry.workers.celery_app import new_app

from ..support.sentinels import FailingOver, stopped

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FailingOver]:
    with FailingOver(
        tmp_path_factory.mktemp("cluster"), password="pa;ss/w@rd", sentinel_password="wo&rd"
    ) as cluster:
        yield cluster


def test_the_broker_is_found_where_a_sentinel_hangs(
    cluster: FailingOver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHERRY_REDIS_URL", cluster.url)
    app = new_app("behind-sentinels")
    with stopped(cluster.sentinels[0]), app.connection_for_write() as connection:
        channel: Any = connection.default_channel
        channel.client.lpush("behind-sentinels", "a ticket")
    app.close()
    assert cluster.primary.client.lrange("behind-sentinels", 0, -1) == ["a ticket"]


@pytest.mark.parametrize("named", [False, True], ids=["the fleet's", "named by the setting"])
def test_results_and_what_follows_go_to_the_primary(cluster: FailingOver, named: bool) -> None:
    app = celery_app(
        JobsSettings(redis_url=cluster.url),
        ApiSettings(celery_result_backend=cluster.url if named else ""),
    )
    app.backend.store_result("an-id", "an answer", "SUCCESS")
    app.send_task("some.task", task_id="what-follows", queue="following")
    app.pool.force_close_all()
    backend: Any = app.backend
    backend.client.connection_pool.disconnect()
    app.close()
    assert cluster.primary.client.exists("celery-task-meta-an-id")
    assert cluster.primary.client.llen("following") == 1 + named
