"""What comes from a family's list, whatever anyone may have pushed there: the worker goes on."""

from __future__ import annotations

import base64
import json
import queue
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from celery import Celery
from celery.contrib.testing.worker import start_worker

from wherry.jobs.ticket import TASK, ticket
from wherry.workers import tickets, transport

Change = Callable[[dict[str, Any]], object]


class Served:
    """A worker of Celery's that notes the groups of the tickets that it served."""

    def __init__(self, url: str) -> None:
        self.redis = redis.Redis.from_url(url)
        self.groups: queue.Queue[str] = queue.Queue()
        self.app = Celery("tickets", broker=url, set_as_current=False)
        self.app.conf.update(
            accept_content=["json"],
            broker_transport=f"{transport.__name__}:Transport",
            broker_transport_options={"ack_emulation": False},
            task_ignore_result=True,
            worker_hijack_root_logger=False,
        )
        strategy = f"{tickets.__name__}:careful"
        self.app.task(self._run, name=TASK, ignore_result=True, Strategy=strategy)

    def _run(self, family: str, group_id: str) -> None:
        self.groups.put(group_id)

    def push(self, text: str) -> None:
        self.redis.lpush("celery", text)


@pytest.fixture(scope="module")
def served(server: str) -> Iterator[Served]:
    served = Served(server)
    # Threads, as our workers have: with them Celery reads through its event loop.
    with start_worker(served.app, pool="threads", perform_ping_check=False):
        yield served
    served.app.close()
    served.redis.close()


def body(text: bytes) -> Change:
    return lambda message: message.update(body=base64.b64encode(text).decode())


def headers(**changes: object) -> Change:
    return lambda message: message["headers"].update(changes)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(body(b"{"), id="a body that is no JSON"),
        pytest.param(body(b"[]"), id="a body of nothing"),
        pytest.param(body(b"5"), id="a body that is a number"),
        pytest.param(body(b'[["a"], 5, null]'), id="arguments of another kind"),
        pytest.param(headers(id=None), id="no id"),
        pytest.param(headers(task="nope"), id="another task"),
        pytest.param(headers(eta="soon"), id="a time that is none"),
        pytest.param(headers(timelimit=5), id="a limit of another kind"),
        pytest.param(lambda message: message.update(headers={}), id="no headers"),
        pytest.param(lambda message: message.update(properties={}), id="no properties"),
        pytest.param(lambda message: message.pop("properties"), id="no properties at all"),
        pytest.param(
            lambda message: message["properties"].update(body_encoding="rot13"),
            id="an encoding that nobody knows",
        ),
        pytest.param(
            lambda message: message.update({"content-type": "application/x-python-serialize"}),
            id="a pickle",
        ),
    ],
)
def test_a_ticket_that_is_malformed_is_dropped_and_the_next_is_served(
    served: Served, change: Change
) -> None:
    message = json.loads(ticket("celery", "malformed", "celery"))
    change(message)
    assert_passed_over(served, json.dumps(message))


@pytest.mark.parametrize("text", ["", "no JSON", "5", "{}", "[]", "null", '"text"'])
def test_what_is_no_message_is_dropped_and_the_next_is_served(served: Served, text: str) -> None:
    assert_passed_over(served, text)


def assert_passed_over(served: Served, text: str) -> None:
    served.push(text)
    served.push(ticket("celery", "next", "celery"))
    found = [served.groups.get(timeout=10)]
    while found[-1] != "next":
        found.append(served.groups.get(timeout=10))
    assert set(found) <= {"malformed", "next"}  # some of what Celery reads for us is no harm
