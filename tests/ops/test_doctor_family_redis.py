"""`wherry doctor` looks at each Redis of a fleet whose families have their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from wherry.api.settings import ApiSettings
from wherry.jobs import Group, NewJob, Queue
from wherry.jobs.fleet import heartbeat
from wherry.jobs.fleet_queue import open_blocking
from wherry.jobs.orphans import Sweeper
from wherry.jobs.processes import about
from wherry.jobs.stores import open_store
from wherry.jobs.submit import submit
from wherry.ops.doctor.examination import examine
from wherry.ops.doctor.facts import Facts
from wherry.ops.doctor.report import document, findings

from ..api.conftest import Server
from ..support.models import model
from ..support.redis_servers import RedisServers, redis_servers
from ..support.waiting import until


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServers]:
    with redis_servers(tmp_path_factory.mktemp("servers"), "text") as found:
        yield found


@pytest.fixture(scope="module")
def api(servers: RedisServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    models: Path = tmp_path_factory.mktemp("models") / "models.toml"
    models.write_text(model("embedding"))
    with Server(ApiSettings(models=models), servers.settings) as url:
        until(lambda: servers.keys("text", "wherry:proof"))
        yield url


def found(facts: Facts) -> dict[str, str]:
    return {each.check: each.found for each in findings(facts)}


def test_workers_jobs_and_settings_of_all_are_seen(servers: RedisServers, api: str) -> None:
    own: Any = redis.Redis.from_url(servers.servers["text"].url)
    own.config_set("maxmemory-policy", "allkeys-lru")
    queue = Queue(servers.servers["text"].url)
    said = {"node": "text@there", "families": ["text"], "served": ["embedding/1"], "state": "ready"}
    queue.run(heartbeat("text@there#1", {**about(servers.settings), **said}, servers.settings))
    queue.close()
    whole = open_blocking(servers.settings)
    group = Group("text", "embedding", "1")
    whole.run(
        submit(
            NewJob(
                id="one",
                task="embedding",
                group=group,
                payload=b"{}",
                header_length=2,
                fingerprint="f",
            ),
            servers.settings,
        )
    )
    # A sweep leaves the name of each Redis in the store: those are no strangers.
    Sweeper(whole, open_store(servers.settings), servers.settings).sweep()
    whole.close()
    facts = examine(servers.settings, api)
    told = found(facts)
    assert told["redis-policy"] == "the Redis of text: maxmemory-policy is allkeys-lru"
    assert not {"model-unserved", "store-shared", "fleet-empty"} & told.keys()
    assert facts.fleet is not None
    assert [each.name for each in facts.fleet.parties if each.kind == "worker"] == [
        "worker text@there"
    ]
    assert sum(group.waiting for group in facts.fleet.groups) == 1
    measured = document(facts, findings(facts))["measured"]
    assert measured["redis_maxmemory_policy"] != measured["redis_maxmemory_policy of text"]
    own.config_set("maxmemory-policy", "noeviction")
    own.close()


def test_one_that_is_away_is_named_and_takes_no_other_along(
    servers: RedisServers, api: str
) -> None:
    servers.servers["text"].kill()
    try:
        facts = examine(servers.settings, api)
    finally:
        servers.servers["text"].start()
    told = found(facts)
    assert told["redis-away"].startswith("the Redis of text: ")
    assert facts.redis is not None
    assert "store-shared" not in told
