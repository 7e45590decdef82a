"""Celery users' jobs: `send_task("wherry.submit", ...)` from any app that has the fleet's broker.

Messages become jobs as requests do, and the end of a job is told through Celery's own result
backend. No process waits for a job meanwhile. Celery itself is imported when the first comes.
"""
