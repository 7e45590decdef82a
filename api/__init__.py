"""API: the HTTP surface over the queue: OIP v2 and its asynchronous extension.

May import jobs, tasks (schemas, never backends), protocol, fastapi. Knows no model runtime and no
Celery worker: it stores jobs, waits for changes, and reads results.
"""
