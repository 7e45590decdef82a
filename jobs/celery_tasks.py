"""Celery tasks on their way to be jobs: messages that another app sent to the fleet's own queue.

kombu pops a message before it writes down who has it, and one popped for a process that dies is
gone. So these leave their list and are leased in one step; whoever took one says what became of it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .call import Call, call_script
from .keys import Keys
from .reach import of_job
from .settings import JobsSettings

#: The Celery task that stands for a job.
SUBMIT = "wherry.submit"

#: What kombu writes between a queue's name and the least priority of a list.
_SEP = "\x06\x16"

#: Bytes of one reply, and messages that have left their lists and wait to be jobs: when the fleet
#: is full, the rest stays where Celery's users see it.
_MOST_BYTES, _MOST_HELD = 16_777_216, 1000

#: Seconds that it is known which job a task is, and that a task not yet seen stays revoked.
KNOWN_S = 7 * 86_400


class TaskMessage(NamedTuple):
    """A message that was taken, in kombu's envelope."""

    name: str
    body: bytes


def take_tasks(count: int, lease_s: float, settings: JobsSettings) -> Call[list[TaskMessage]]:
    """Lease messages that are due, at most `count`."""
    keys = Keys(settings.key_prefix)
    queue = keys.celery_queue
    return call_script(
        "celery_take",
        settings,
        keys={
            "due": keys.celery_due,
            "tasks": keys.celery_tasks,
            "list": queue,
            "list_3": f"{queue}{_SEP}3",
            "list_6": f"{queue}{_SEP}6",
            "list_9": f"{queue}{_SEP}9",
        },
        args={
            "limit": count,
            "lease_ms": int(lease_s * 1000),
            "most_bytes": _MOST_BYTES,
            "most_held": _MOST_HELD,
        },
        parse=lambda reply: [TaskMessage(name.decode(), body) for name, body in reply],
    )


def settle_task(name: str, settings: JobsSettings, *, due_in_s: float | None = None) -> Call[bool]:
    """Let a message go, or be due again in some seconds: then, too, its lease is over."""
    keys = Keys(settings.key_prefix)
    return call_script(
        "celery_settle",
        settings,
        keys={"due": keys.celery_due, "tasks": keys.celery_tasks},
        args={"name": name, "due_in_ms": "" if due_in_s is None else int(due_in_s * 1000)},
        parse=bool,
    )


def name_job(task_id: str, job_id: str, settings: JobsSettings) -> Call[bool]:
    """Write down which job a task is. False where the task was revoked before."""
    key = Keys(settings.key_prefix).celery_job(task_id)
    return Call(
        [("SET", key, job_id, "NX", "EX", KNOWN_S), ("GET", key)],
        parse=lambda reply: not _is_mark(reply),
    )


def is_revoked(task_id: str, settings: JobsSettings) -> Call[bool]:
    """Whether a task was revoked while it was no job."""
    key = Keys(settings.key_prefix).celery_job(task_id)
    return Call([("GET", key)], parse=_is_mark)


def _is_mark(reply: bytes | None) -> bool:
    """Whether what stands for a task says that it was revoked, before its job's name."""
    return reply is not None and (not reply or reply.startswith(b"!"))


def revoke_task(task_id: str, settings: JobsSettings) -> Call[str]:
    """The job that a task is, which may not be stored yet. "" where it is none: it will be none
    when its message comes.
    """
    return call_script(
        "celery_revoke",
        settings,
        keys={"task": Keys(settings.key_prefix).celery_job(task_id)},
        args={"ttl_s": KNOWN_S},
        parse=lambda reply: str(reply.decode()),
    )


def forget_name(task_id: str, settings: JobsSettings) -> Call[None]:
    """Forget which job a task is: it has ended."""
    return Call([("DEL", Keys(settings.key_prefix).celery_job(task_id))], parse=lambda _: None)


def read_context(job_id: str, settings: JobsSettings) -> Call[bytes | None]:
    """What Celery said of a job's task beside its arguments; None for a job that is no task."""

    def parse(reply: Any) -> bytes | None:  # redis-py's
        return None if reply is None else bytes(reply)

    key = Keys(settings.key_prefix).job(job_id)
    return Call([("HGET", key, "celery")], parse=parse, reach=of_job(job_id))
