"""Workers: Celery processes pinned to a device, which claim batches, run them and finish them.

May import jobs, tasks, protocol, celery. Knows no HTTP. A ticket is a hint that a group has work;
the claim in Redis is the truth, so no job's life hangs on a Celery message.
"""
