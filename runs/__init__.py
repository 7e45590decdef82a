"""Runs: `wherry annotate` done by the fleet itself, a step at a time, by Celery processes.

May import jobs, client, workers (for what all Celery processes share). Knows no model and no
server: it sends jobs by HTTP as any client does, in the name of whose run it is.
"""
