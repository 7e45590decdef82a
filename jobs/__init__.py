"""Jobs: the life of a job in Redis and in the blob store, from submit to result.

May import protocol and tasks (for words only), redis, boto3. Knows no HTTP, no Celery worker, no
model: it moves ids, bytes and leases. Every verb is one Lua script, so it happens whole or not at
all; docs/architecture.md draws the keys.
"""

from .async_queue import AsyncQueue
from .call import Call, Queue
from .group import Group
from .record import ClaimedJob, JobRecord, NewJob, Outcome
from .settings import JobsSettings

__all__ = [
    "AsyncQueue",
    "Call",
    "ClaimedJob",
    "Group",
    "JobRecord",
    "JobsSettings",
    "NewJob",
    "Outcome",
    "Queue",
]
