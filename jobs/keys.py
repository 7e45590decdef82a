from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keys:
    """Names of every Redis key, under one prefix. The Lua prelude builds the same names."""

    prefix: str

    def job(self, job_id: str) -> str:
        """Hash: all that is known of a job but its payload."""
        return f"{self.prefix}:job:{job_id}"

    def payload(self, job_id: str, fingerprint: str) -> str:
        """String: a job's request bytes. The fingerprint keeps two bodies of one id apart."""
        return f"{self.prefix}:pay:{job_id}:{fingerprint}"

    def group(self, group_id: str) -> str:
        """Hash: a group's counters, stamps and ticket count."""
        return f"{self.prefix}:group:{group_id}"

    def wait(self, group_id: str) -> str:
        """List: ids of the jobs of a group that wait, oldest first."""
        return f"{self.prefix}:wait:{group_id}"

    def alive(self, worker: str) -> str:
        """String with a TTL: a worker's heartbeat, the lease of all it runs."""
        return f"{self.prefix}:alive:{worker}"

    def running(self, worker: str) -> str:
        """Set: ids of the jobs a worker has claimed."""
        return f"{self.prefix}:running:{worker}"

    def told(self, job_id: str) -> str:
        """Stream: what a running job has said so far, in chunks."""
        return f"{self.prefix}:told:{job_id}"

    def idempotency(self, key: str) -> str:
        """String: the job id that an Idempotency-Key stands for."""
        return f"{self.prefix}:idem:{key}"

    def stats(self, model: str, version: str) -> str:
        """Hash: a model's counters, in Triton's words."""
        return f"{self.prefix}:stats:{model}:{version}"

    def file(self, file_id: str) -> str:
        """String: what is known of a file, as JSON."""
        return f"{self.prefix}:file:{file_id}"

    def files(self, purpose: str = "") -> str:
        """Sorted set: ids of all files, or of those of a purpose, by time in ms."""
        return f"{self.prefix}:files:{purpose}" if purpose else f"{self.prefix}:files"

    def batch(self, batch_id: str) -> str:
        """Hash: what a batch was asked for, its status, progress and owner."""
        return f"{self.prefix}:batch:{batch_id}"

    @property
    def batches(self) -> str:
        """Sorted set: ids of batches by time, in ms."""
        return f"{self.prefix}:batches"

    @property
    def leases(self) -> str:
        """Sorted set: ids of the batches to run by the time their lease runs out, in ms."""
        return f"{self.prefix}:leases"

    @property
    def groups(self) -> str:
        """Set: ids of the groups that have jobs or had some lately."""
        return f"{self.prefix}:groups"

    @property
    def workers(self) -> str:
        """Set: ids of the workers that have not said goodbye."""
        return f"{self.prefix}:workers"

    @property
    def totals(self) -> str:
        """Hash: counters over the whole fleet."""
        return f"{self.prefix}:totals"

    @property
    def index(self) -> str:
        """Sorted set: job ids by order of submission."""
        return f"{self.prefix}:index"

    @property
    def deadlines(self) -> str:
        """Sorted set: ids of waiting jobs by the time they must have started, in ms."""
        return f"{self.prefix}:deadlines"

    @property
    def dead(self) -> str:
        """Sorted set: ids of dead letters by time, in ms."""
        return f"{self.prefix}:dead"

    @property
    def unloaded(self) -> str:
        """Set: names of the models an operator has unloaded."""
        return f"{self.prefix}:unloaded"

    @property
    def changes(self) -> str:
        """Channel: a line `<status> <id>` per job that changed."""
        return f"{self.prefix}:changes"

    def reply(self, listener: str) -> str:
        """Channel: small responses, sent to whoever submitted the job and waits for its end."""
        return f"{self.prefix}:reply:{listener}"
