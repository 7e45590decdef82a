"""The API's subscription to changes: what it takes for a server that is gone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
import redis

from wherry.api.core import waiters
from wherry.jobs import AsyncQueue, JobsSettings

_LOOKS = 40


class _Enough(Exception):
    """The subscription was looked at as often as the test wants."""


class _Subscription:
    """An idle one, whose looks end a little before their time, as uvloop's timers may."""

    def __init__(self, *, answers: bool) -> None:
        self.now = 0.0
        self.pings = self.looks = 0
        self._answers, self._pong = answers, False

    async def __aenter__(self) -> _Subscription:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def subscribe(self, *channels: object) -> None:
        pass

    async def ping(self) -> None:
        self.pings += 1
        self._pong = self._answers

    async def get_message(self, **how: float) -> dict[str, Any] | None:
        self.looks += 1
        if self.looks > _LOOKS:
            raise _Enough
        if self._pong:
            self._pong = False
            return {"type": "pong", "channel": None, "data": b""}
        self.now += how["timeout"] - 0.0006
        return None


async def _listen(subscription: _Subscription, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(monotonic=lambda: subscription.now)
    monkeypatch.setattr(waiters, "time", clock)
    connection = SimpleNamespace(pubsub=lambda **_: subscription)
    queue = cast("AsyncQueue", SimpleNamespace(redis=connection, timeout_s=10.0, parts=[]))
    feed = waiters.Waiters(queue, JobsSettings())
    await feed._listen(queue, lambda: None)


@pytest.mark.anyio
async def test_an_idle_fleet_is_asked_and_kept(monkeypatch):
    subscription = _Subscription(answers=True)
    with pytest.raises(_Enough):
        await _listen(subscription, monkeypatch)
    assert subscription.pings == _LOOKS // 2


@pytest.mark.anyio
async def test_one_that_answers_no_ping_is_given_up(monkeypatch):
    subscription = _Subscription(answers=False)
    with pytest.raises(redis.ConnectionError, match="silent for 20 s"):
        await _listen(subscription, monkeypatch)
    assert subscription.pings == 1
