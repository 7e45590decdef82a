"""A fleet of one worker that a test drives by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from wherry.jobs import Group, JobsSettings, NewJob, Outcome, Queue
from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.finish import finish, release
from wherry.jobs.record import BatchStats, Claim
from wherry.jobs.submit import submit

GROUP = Group("vision", "digits", "1")
HEAVY = replace(GROUP, model="heavy")
Make = Callable[..., NewJob]


class Fleet:
    """One worker that is driven by hand, with a device time a row of each model."""

    def __init__(self, queue: Queue, settings: JobsSettings, new_job: Make) -> None:
        self.queue, self.settings, self.new_job = queue, settings, new_job
        self.row_us = {"digits": 1000, "heavy": 20_000}
        self.budgets = {g.model_id: BatchBudget(max_rows=8) for g in (GROUP, HEAVY)}

    def add(self, group: Group, count: int = 1, **fields: object) -> list[str]:
        jobs = [self.new_job(group=group, **fields) for _ in range(count)]
        return [self.queue.run(submit(job, self.settings)).id for job in jobs]

    def claim(self, hint: Group = GROUP, *, patient: bool = False) -> Claim:
        call = claim(hint, "w1", self.budgets, self.settings, patient=patient)
        return self.queue.run(call)

    def finish(self, claimed: Claim) -> None:
        assert claimed.group is not None
        outcomes = [Outcome(id=job.id, attempt=job.attempt) for job in claimed.jobs]
        rows = len(outcomes)
        stats = BatchStats(
            group=claimed.group,
            rows=rows,
            max_rows=8,
            executions=1,
            compute_us=rows * self.row_us[claimed.group.model],
            charges=claimed.charges,
        )
        assert len(self.queue.run(finish("w1", outcomes, stats, self.settings)).accepted) == rows

    def give_back(self, claimed: Claim) -> int:
        calls = (
            release(each.group, "w1", each.jobs, self.settings, charged_us=each.charged_us)
            for each in claimed.shares
        )
        return sum(map(self.queue.run, calls))

    def passes(self) -> dict[str, float]:
        """Of the flows that wait: the device time in µs that each has had, over its weight."""
        redis: Any = self.queue.redis  # redis-py types an answer as all it may ever be
        found = redis.zrange("wherry:flows:vision", 0, -1, withscores=True)
        return {flow.decode(): score for flow, score in found}

    def run(self, hint: Group = GROUP) -> Claim:
        """The next batch, which is at its end."""
        claimed = self.claim(hint)
        self.finish(claimed)
        return claimed

    def serve(self, hint: Group = GROUP) -> Group:
        """Whose turn the next batch was."""
        served = self.run(hint).group
        assert served is not None
        return served
