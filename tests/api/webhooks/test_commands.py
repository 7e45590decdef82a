"""`wherry webhooks`, against a real API and Redis."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import typer
from typer.testing import CliRunner, Result

from wherry.client import terminal, webhook_commands
from wherry.jobs import JobsSettings, Queue
from wherry.jobs.webhooks import Settled, settle_webhook, take_webhooks

APP = typer.Typer(pretty_exceptions_enable=False)
webhook_commands.register(APP)

Wherry = Callable[..., Result]


@pytest.fixture
def wherry(
    api_url: str, redis_url: str, jobs_settings: JobsSettings, monkeypatch: pytest.MonkeyPatch
) -> Wherry:
    """The command, where two webhooks were given up and one waits."""
    monkeypatch.setenv("WHERRY_URL", api_url)
    queue = Queue(redis_url)
    for name, how in (("a", Settled.FAILED), ("b", Settled.FAILED), ("c", Settled.AGAIN)):
        fields = {"webhook": "https://x.org/?secret=1", "finished_at": "1", "group": "f/m/1/-/5/-"}
        for field, value in fields.items():
            queue.redis.hset(f"wherry:job:{name}", field, value)
        queue.redis.rpush("wherry:webhooks", name)
        [taken] = queue.run(take_webhooks(1, 60, jobs_settings))
        settle = settle_webhook(
            taken.name, how, jobs_settings, error="answered 500", due_in_s=60, keep_s=60
        )
        queue.run(settle)
    queue.close()

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(APP, ["webhooks", *arguments], env={"COLUMNS": "120"})

    return call


def test_what_was_given_up_is_listed(wherry: Wherry) -> None:
    shown = wherry("list").output
    assert "answered 500" in shown
    assert "https://x.org/" in shown
    assert "secret" not in shown
    assert "1 waiting, 2 given up; 0 delivered, 0 lost so far" in shown
    lines = [json.loads(line) for line in wherry("list", "--json").output.splitlines()]
    assert {line["job_id"] for line in lines} == {"a", "b"}
    [waiting] = wherry("list", "--waiting", "--json").output.splitlines()
    assert json.loads(waiting)["job_id"] == "c"


def test_some_or_all_are_tried_again(wherry: Wherry) -> None:
    assert wherry("retry", "a").output == "1 tried again\n"
    gone = wherry("retry", "a", "b", "[nope]")
    assert (gone.exit_code, gone.stdout) == (1, "1 tried again\n")
    first, second = gone.stderr.splitlines()
    assert first.startswith("error: no webhook of job 'a' was given up")
    assert second.startswith("error: no webhook of job '[nope]' was given up")
    assert wherry("retry", "--all").output == "0 tried again\n"
    assert "3 waiting, 0 given up" in wherry("list").output
    assert wherry("retry").exit_code == 2
    assert wherry("retry", "a", "--all").exit_code == 2


def test_a_server_that_is_away_is_one_line(wherry: Wherry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "PATIENCE_S", 0.1)
    away = wherry("list", "--url", "http://127.0.0.1:1")
    assert away.exit_code == 1
