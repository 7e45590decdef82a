from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Keys:
    """Names of every Redis key, under one prefix. The Lua prelude builds the same names."""

    prefix: str

    def job(self, job_id: str) -> str:
        """Hash: all that is known of a job but its payload."""
        return f"{self.prefix}:job:{job_id}"

    def payload(self, job_id: str, fingerprint: str) -> str:
        """String: a job's request bytes. The fingerprint keeps two bodies of one id apart.

        Short, for the job's record says it: a value over 64 bytes would triple the record's memory.
        """
        name = hashlib.blake2b(f"{job_id} {fingerprint}".encode(), digest_size=15).digest()
        return f"{self.prefix}:pay:{urlsafe_b64encode(name).decode()}"

    def group(self, group_id: str) -> str:
        """Hash: a group's counters, stamps and ticket count."""
        return f"{self.prefix}:group:{group_id}"

    def wait(self, group_id: str) -> str:
        """List: ids of the jobs of a group that wait, oldest first."""
        return f"{self.prefix}:wait:{group_id}"

    def flows(self, family: str) -> str:
        """Sorted set: flows that wait, by the share they have had (claim serves the least)."""
        return f"{self.prefix}:flows:{family}"

    def idle(self, family: str) -> str:
        """Sorted set: flows that do not wait but have had more than those that do."""
        return f"{self.prefix}:idle:{family}"

    def flow(self, family: str, flow: str) -> str:
        """Sorted set: a flow's groups that wait, by priority, then by their last turn."""
        return f"{self.prefix}:flow:{family}/{flow}"

    def pace(self, family: str) -> str:
        """Hash: how fast a family works, and a row's device time by model and size."""
        return f"{self.prefix}:pace:{family}"

    def tenant(self, tenant: str) -> str:
        """Hash: jobs that a tenant has waiting, by family and lane, and bytes; gone without any."""
        return f"{self.prefix}:tenant:{quote(tenant, safe='')}"

    @property
    def tenant_device(self) -> str:
        """Sorted set: tenants by the device time that each had in all, in µs."""
        return f"{self.prefix}:tenants:device"

    def bucket(self, tenant: str) -> str:
        """String with a TTL: when a tenant with a submit rate may submit at will again, in µs."""
        return f"{self.prefix}:bucket:{quote(tenant, safe='')}"

    def alive(self, worker: str) -> str:
        """String with a TTL: a worker's heartbeat, the lease of all it runs."""
        return f"{self.prefix}:alive:{worker}"

    def running(self, worker: str) -> str:
        """Set: ids of the jobs a worker has claimed."""
        return f"{self.prefix}:running:{worker}"

    def alone(self, worker: str) -> str:
        """String: id of the job that a worker runs with nothing beside it."""
        return f"{self.prefix}:alone:{worker}"

    def drain(self, node: str) -> str:
        """String with a TTL: an operator wants the worker of that Celery node to claim no more."""
        return f"{self.prefix}:drain:{node}"

    def token_stream(self, job_id: str) -> str:
        """Stream: what a running job has said so far, in chunks."""
        return f"{self.prefix}:told:{job_id}"

    def idempotency(self, key: str) -> str:
        """String: the job id that an Idempotency-Key stands for."""
        return f"{self.prefix}:idem:{key}"

    def held(self, name: str) -> str:
        """String with a TTL: the Redis that a name which a client gave is held for."""
        return f"{self.prefix}:held:{name}"

    def stats(self, model: str, version: str) -> str:
        """Hash: a model's counters, in Triton's words."""
        return f"{self.prefix}:stats:{model}:{version}"

    def ends(self, model_id: str) -> str:
        """Hash: how many of a model's jobs ended otherwise than well, by state and error type."""
        return f"{self.prefix}:ends:{model_id}"

    def fits(self, what: str) -> str:
        """Hash: rows that fit a kind of device, by a model's shape bucket."""
        return f"{self.prefix}:fits:{what}"

    def file(self, file_id: str) -> str:
        """String: what is known of a file, as JSON."""
        return f"{self.prefix}:file:{file_id}"

    def files(self, purpose: str = "", tenant: str = "") -> str:
        """Sorted set: ids of all files, of a purpose's, of a tenant's, by time in ms."""
        whose = f"{self.prefix}:files@{tenant}" if tenant else f"{self.prefix}:files"
        return f"{whose}:{purpose}" if purpose else whose

    def upload(self, upload_id: str) -> str:
        """String: what is known of an upload, as JSON."""
        return f"{self.prefix}:upload:{upload_id}"

    def readers(self, file_id: str) -> str:
        """Set: ids of the batches that read a file, or runs an upload, not removed meanwhile."""
        return f"{self.prefix}:readers:{file_id}"

    def expiring(self, kind: str) -> str:
        """Sorted set: ids of the files, batches or uploads that go some time, by when, in ms."""
        return f"{self.prefix}:expiring:{kind}"

    def batch(self, batch_id: str) -> str:
        """Hash: what a batch was asked for, its status, progress and owner."""
        return f"{self.prefix}:batch:{batch_id}"

    def run(self, run_id: str, part: str = "") -> str:
        """Hash: a run's spec, state and counters; its `shards`, `owners` and others by a part."""
        return f"{self.prefix}:run:{run_id}:{part}" if part else f"{self.prefix}:run:{run_id}"

    def runs(self, tenant: str = "") -> str:
        """Sorted set: ids of all runs, or of a tenant's, by time in ms."""
        return f"{self.prefix}:runs@{tenant}" if tenant else f"{self.prefix}:runs"

    @property
    def runs_live(self) -> str:
        """Set: ids of the runs that have not ended."""
        return f"{self.prefix}:runs:live"

    @property
    def run_totals(self) -> str:
        """Hash: how many runs ended, by state, and how many rows of runs were answered."""
        return f"{self.prefix}:runs:totals"

    @property
    def runs_ready(self) -> str:
        """Sorted set: ids of the runs that have a step to take, by their last turn, in µs."""
        return f"{self.prefix}:runs:ready"

    @property
    def run_leases(self) -> str:
        """Sorted set: steps of runs that are under way, by when their lease runs out, in ms."""
        return f"{self.prefix}:runs:leases"

    @property
    def run_deadlines(self) -> str:
        """Sorted set: ids of runs by when they must have ended, in ms."""
        return f"{self.prefix}:runs:deadlines"

    @property
    def run_outs(self) -> str:
        """Hash: where runs that have not ended write to -> which one does."""
        return f"{self.prefix}:runs:outs"

    @property
    def run_workers(self) -> str:
        """Hash: run workers by id: who they are and when they last said so, as JSON."""
        return f"{self.prefix}:runs:workers"

    @property
    def runs_removing(self) -> str:
        """Sorted set: ids of forgotten runs whose blobs are to go, by when they were, in ms."""
        return f"{self.prefix}:runs:removing"

    @property
    def run_changes(self) -> str:
        """Channel: the id of a run that changed."""
        return f"{self.prefix}:runs:changes"

    @property
    def api_keys(self) -> str:
        """Hash: API keys by id, as JSON; their secrets only as digests."""
        return f"{self.prefix}:keys"

    def batches(self, tenant: str = "") -> str:
        """Sorted set: ids of all batches, or of a tenant's, by time in ms."""
        return f"{self.prefix}:batches@{tenant}" if tenant else f"{self.prefix}:batches"

    def swept(self, store: str) -> str:
        """String with a TTL: some process has swept a blob store within this time."""
        return f"{self.prefix}:swept:{store}"

    @property
    def fleet(self) -> str:
        """String: a name of this fleet's own, which it leaves in its blob store."""
        return f"{self.prefix}:fleet"

    @property
    def proof(self) -> str:
        """String: a mark in this fleet's blob store, as JSON; see proof.py."""
        return f"{self.prefix}:proof"

    @property
    def apis(self) -> str:
        """Hash with a TTL: when each API last said that it lives, and what it declares, as JSON."""
        return f"{self.prefix}:apis"

    @property
    def leases(self) -> str:
        """Sorted set: ids of the batches to run by the time their lease runs out, in ms."""
        return f"{self.prefix}:leases"

    @property
    def groups(self) -> str:
        """Sorted set: groups that have jobs or had some lately, by when a keeper looks, in ms."""
        return f"{self.prefix}:groups:due"

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
        """Sorted set: ids of jobs by when they must have started, or ended once they run, in ms."""
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
    def failed(self) -> str:
        """Hash with a TTL: why, by model/version, for the models that no worker can serve."""
        return f"{self.prefix}:failed"

    @property
    def cold(self) -> str:
        """Hash with a TTL: ms to load, by model/version, of models that no worker has loaded."""
        return f"{self.prefix}:cold"

    @property
    def facts(self) -> str:
        """Hash: what models turned out to be when they were loaded, by model/version, as JSON."""
        return f"{self.prefix}:facts"

    @property
    def load_configs(self) -> str:
        """Hash: what loads said otherwise than models.toml, by the model's name, as JSON."""
        return f"{self.prefix}:load:configs"

    @property
    def leaving(self) -> str:
        """Hash: declarations, by model/version, of models that are declared no more and drain."""
        return f"{self.prefix}:leaving"

    @property
    def load_requests(self) -> str:
        """Hash: how often an operator asked to load a model, by its name."""
        return f"{self.prefix}:load:asked"

    def loading(self, node: str, model_id: str) -> str:
        """Counter with a TTL: loads of a model that a worker's node began and did not end."""
        return f"{self.prefix}:loading:{node}:{model_id}"

    @property
    def changes(self) -> str:
        """Channel: a line `<status> <id>` per job that changed."""
        return f"{self.prefix}:changes"

    @property
    def kept(self) -> str:
        """List: payloads of ended jobs that are kept for a while, the oldest first."""
        return f"{self.prefix}:kept"

    def history(self, period_s: int) -> str:
        """Stream: points of the fleet's history, so many s apart; a model's: `:` and its id."""
        return f"{self.prefix}:history:{period_s}"

    def took(self, model_id: str) -> str:
        """Hash: how many of a model's jobs took about how long, by steps of time."""
        return f"{self.prefix}:took:{model_id}"

    def spent(self, model_id: str, day: int) -> str:
        """Number with a TTL: what a model's endpoint has cost on a day, by days since 1970."""
        return f"{self.prefix}:spent:{model_id}:{day}"

    def scaling(self, family: str, policy: str) -> str:
        """String with a TTL: what a scaler remembers of a family, by its policy, as JSON."""
        return f"{self.prefix}:scaling:{family}:{policy}"

    @property
    def work_came(self) -> str:
        """Channel: a family in which jobs begin to wait."""
        return f"{self.prefix}:work"

    def counted(self, period_s: int) -> str:
        """Hash: what the counters were at the last point of a history, by model/version."""
        return f"{self.prefix}:counted:{period_s}"

    @property
    def webhooks(self) -> str:
        """List: ids of jobs that ended and have a webhook to call, oldest first."""
        return f"{self.prefix}:webhooks"

    @property
    def webhooks_due(self) -> str:
        """Sorted set: names of the webhooks to deliver by when they are due, or leased until."""
        return f"{self.prefix}:webhooks:due"

    @property
    def webhooks_failed(self) -> str:
        """Sorted set: names of the webhooks that were given up, by time in ms."""
        return f"{self.prefix}:webhooks:failed"

    @property
    def webhook_totals(self) -> str:
        """Hash: what became of webhooks, counted."""
        return f"{self.prefix}:webhooks:totals"

    def webhook(self, name: str) -> str:
        """Hash: a webhook's URL, tries, last error and body."""
        return f"{self.prefix}:webhook:{name}"

    @property
    def celery_queue(self) -> str:
        """List: Celery's queue of the task `wherry.submit`; others behind it, by priority."""
        return f"{self.prefix}.submit"

    @property
    def celery_due(self) -> str:
        """Sorted set: Celery tasks that are no jobs yet by when they are due, or leased until."""
        return f"{self.prefix}:celery:due"

    @property
    def celery_tasks(self) -> str:
        """Hash: the messages of these tasks, in kombu's envelope, by their digests."""
        return f"{self.prefix}:celery:tasks"

    def celery_job(self, task_id: str) -> str:
        """String with a TTL: the job that a Celery task is; empty for one revoked before, `!` and
        the job for one revoked while that was not stored here.
        """
        return f"{self.prefix}:celery:job:{task_id}"

    @property
    def celery_ends(self) -> str:
        """List: ids of jobs that ended and are Celery tasks, oldest first."""
        return f"{self.prefix}:celery:ends"

    @property
    def celery_ends_due(self) -> str:
        """Sorted set: ends to tell Celery of by when they are due, or leased until."""
        return f"{self.prefix}:celery:ends:due"

    @property
    def celery_ends_failed(self) -> str:
        """Sorted set: ends that Celery was not told of in time, by time in ms."""
        return f"{self.prefix}:celery:ends:failed"

    @property
    def celery_totals(self) -> str:
        """Hash: what became of these ends, counted."""
        return f"{self.prefix}:celery:totals"

    def reply(self, listener: str) -> str:
        """Channel: small responses, sent to whoever submitted the job and waits for its end."""
        return f"{self.prefix}:reply:{listener}"
