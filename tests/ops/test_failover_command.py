"""`wherry failover`, against real sentinels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from wherry.ops.failover_command import register

from ..support.sentinels import FailingOver

APP = typer.Typer()
register(APP)


def test_where_it_cannot_be_it_says_why_and_ends_with_1(redis_url: str) -> None:
    found = CliRunner().invoke(APP, [], env={"WHERRY_REDIS_URL": redis_url})
    assert found.exit_code == 1
    assert "names no sentinels" in found.output


def test_a_family_without_a_redis_of_its_own_ends_with_2() -> None:
    found = CliRunner().invoke(APP, ["--family", "text"])
    assert found.exit_code == 2
    assert "WHERRY_FAMILY_REDIS" in found.output


def test_where_a_familys_own_cannot_be_it_names_that_setting(redis_url: str) -> None:
    env = {"WHERRY_REDIS_URL": "redis://127.0.0.1:1/0", "WHERRY_FAMILY_REDIS": f"text={redis_url}"}
    found = CliRunner().invoke(APP, ["--family", "text"], env=env)
    assert (found.exit_code, "WHERRY_FAMILY_REDIS (text) names no" in found.output) == (1, True)


@pytest.mark.slow
def test_it_says_who_took_over_and_who_follows(tmp_path: Path) -> None:
    with FailingOver(tmp_path / "cluster", down_after_ms=2000) as cluster:
        before, env = cluster.primary, {"WHERRY_REDIS_URL": cluster.url}
        found = CliRunner().invoke(APP, ["--json"], env=env)
        assert found.exit_code == 0, found.output
        told = json.loads(found.output)
        assert told["before"] == f"127.0.0.1:{before.port}"
        assert told["after"] == f"127.0.0.1:{cluster.promoted(before).port}"
        assert (told["following"], told["replicas"]) == (1, 1)
