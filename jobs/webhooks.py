"""Webhooks in Redis: an outbox that the ends of jobs are written to, and who delivers what of it.

The script that ends a job pushes its id, so that no end is missed. Deliverers lease what is due;
one that does not say how it went, because it died, leaves it to the next when its lease is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from .call import Call, call_script
from .group import Group
from .keys import Keys
from .reach import of_all, summed
from .settings import JobsSettings

#: What stands before a run's id in the outbox: no job's id has a tab.
_RUN = "run\t"
#: What stands for the URL of a job whose end Celery is told of. The prelude knows it too.
CELERY = "celery:"


class Outbox(StrEnum):
    """Which ends: those that receivers are called for, those that Celery is told of."""

    WEBHOOKS = "webhooks"
    CELERY = "celery"

    def keys(self, keys: Keys) -> OutboxKeys:
        """Its keys."""
        if self is Outbox.CELERY:
            ends, due, failed = keys.celery_ends, keys.celery_ends_due, keys.celery_ends_failed
            return OutboxKeys(ends, due, failed, keys.celery_totals)
        ends, due, failed = keys.webhooks, keys.webhooks_due, keys.webhooks_failed
        return OutboxKeys(ends, due, failed, keys.webhook_totals)


class OutboxKeys(NamedTuple):
    """Where ends wait to be told, those due or leased, those given up, and their counts."""

    outbox: str
    due: str
    failed: str
    totals: str


class Delivery(NamedTuple):
    """A webhook to deliver now. Its name stays its own: a job's end has one."""

    name: str
    url: str
    group: Group
    since_ms: int
    tries: int
    #: What is to be sent; empty before the first try.
    body: bytes
    #: Where the job stands in a trace, as `NewJob` has it.
    trace: str = ""

    @property
    def job_id(self) -> str:
        """The job that ended; of a run's end no job's."""
        return self.name.partition("|")[2]

    @property
    def run_id(self) -> str:
        """The run that ended; "" where it was a job."""
        return self.job_id.removeprefix(_RUN) if self.job_id.startswith(_RUN) else ""

    @property
    def finished_at_ms(self) -> int:
        """When it ended."""
        return int(self.name.partition("|")[0])


class Settled(StrEnum):
    """How a delivery went."""

    DELIVERED = "delivered"
    #: There is nothing to tell: the job is forgotten, or was replayed.
    LOST = "lost"
    AGAIN = "again"
    #: Not tried, so that another may.
    BACK = "back"
    FAILED = "failed"


class ListedWebhook(NamedTuple):
    """A webhook as an operator sees it: due, or given up, at some time in ms."""

    #: Or the run's.
    job_id: str
    finished_at_ms: int
    url: str
    at_ms: int
    since_ms: int
    tries: int
    error: str


class WebhookList(NamedTuple):
    """How many wait and were given up, what became of the others, and some of them."""

    waiting: int
    failed: int
    totals: dict[str, int]
    webhooks: list[ListedWebhook]


def take_webhooks(
    count: int, lease_s: float, settings: JobsSettings, outbox: Outbox = Outbox.WEBHOOKS
) -> Call[list[Delivery]]:
    """Lease webhooks that are due, at most `count`."""
    keys = outbox.keys(Keys(settings.key_prefix))
    return call_script(
        "webhook_take",
        settings,
        keys={"outbox": keys.outbox, "due": keys.due, "totals": keys.totals},
        args={"limit": count, "lease_ms": int(lease_s * 1000)},
        parse=lambda reply: [_delivery(*fields) for fields in reply],
    )


def settle_webhook(
    name: str,
    how: Settled,
    settings: JobsSettings,
    *,
    due_in_s: float = 0.0,
    error: str = "",
    body: bytes = b"",
    keep_s: int = 1,
    outbox: Outbox = Outbox.WEBHOOKS,
) -> Call[bool]:
    """Write down how a delivery went. False when another had ended it before."""
    names = Keys(settings.key_prefix)
    keys = outbox.keys(names)
    return call_script(
        "webhook_settle",
        settings,
        keys={
            "webhook": names.webhook(name),
            "due": keys.due,
            "failed": keys.failed,
            "totals": keys.totals,
        },
        args={
            "name": name,
            "how": how.value,
            "due_in_ms": int(due_in_s * 1000),
            "error": error,
            "body": body,
            "keep_s": keep_s,
        },
        parse=bool,
    )


def list_webhooks(settings: JobsSettings, *, failed: bool, limit: int) -> Call[WebhookList]:
    """The webhooks that wait, soonest first; or those that were given up, latest first."""
    keys = Keys(settings.key_prefix)
    return call_script(
        "webhook_list",
        settings,
        keys={
            "outbox": keys.webhooks,
            "due": keys.webhooks_due,
            "failed": keys.webhooks_failed,
            "totals": keys.webhook_totals,
        },
        args={
            "which": "failed" if failed else "waiting",
            "limit": limit,
        },
        parse=_listed,
    )


def of_one_fleet(lists: Sequence[WebhookList], *, failed: bool, limit: int) -> WebhookList:
    """One list of those on several Redis servers, in the same order."""
    totals: dict[str, int] = {}
    for each in lists:
        for name, count in each.totals.items():
            totals[name] = totals.get(name, 0) + count
    entries = sorted(
        (entry for each in lists for entry in each.webhooks),
        key=lambda entry: entry.at_ms,
        reverse=failed,
    )
    return WebhookList(
        sum(each.waiting for each in lists),
        sum(each.failed for each in lists),
        totals,
        entries[:limit],
    )


def retry_webhooks(job_ids: Sequence[str], settings: JobsSettings) -> Call[int]:
    """Deliver webhooks of these jobs, or of all, that were given up. Answers how many."""
    keys = Keys(settings.key_prefix)
    return call_script(
        "webhook_retry",
        settings,
        keys={"due": keys.webhooks_due, "failed": keys.webhooks_failed},
        args={"ids": job_ids},
        parse=int,
        reach=of_all(summed),
    )


def _delivery(
    name: bytes, url: bytes, group: bytes, since: bytes, tries: bytes, body: bytes, trace: bytes
) -> Delivery:
    return Delivery(
        name.decode(),
        url.decode(),
        Group.parse(group.decode()),
        int(since),
        int(tries),
        body,
        trace.decode("latin-1"),
    )


def _listed(reply: list[Any]) -> WebhookList:
    waiting, failed, totals, *found = reply
    return WebhookList(
        int(waiting),
        int(failed),
        {k.decode(): int(v) for k, v in zip(totals[::2], totals[1::2], strict=True)},
        [_entry(*fields) for fields in found],
    )


def _entry(
    name: bytes, at: bytes, url: bytes, since: bytes, tries: bytes, error: bytes
) -> ListedWebhook:
    finished_at, _, job_id = name.decode().partition("|")
    return ListedWebhook(
        job_id.removeprefix(_RUN),
        int(finished_at),
        url.decode(),
        int(float(at)),
        int(since),
        int(tries),
        error.decode(),
    )
