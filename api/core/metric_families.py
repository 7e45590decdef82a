"""From the fleet as it was read to metrics: a function a kind of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client.core import Metric

from ...protocol.errors import codes
from ...telemetry.instruments import family, histogram_family
from ...telemetry.metric_specs import JOB_BOUNDS_US
from .fleet_metrics import FleetLook, FleetReading

#: Runs whose progress is told.
_MOST_RUNS = 50

#: Error types by their names; of another version's the rest is one.
_OTHER = "other"

#: Redis' steps of time: so many make twice the time.
_STEPS = 4

_LANES = ("interactive", "bulk")


def families_of(look: FleetLook) -> Iterator[Metric]:
    """All metrics of the fleet; of one that was not read, that it was not."""
    yield family("wherry_redis_up", [((name,), float(is_so)) for name, is_so in look.up.items()])
    if look.reading is not None:
        for families in FAMILIES:
            yield from families(look.reading)


def _totals(reading: FleetReading) -> Iterable[Metric]:
    totals, counts = reading.counts.totals, reading.counts

    def plain(name: str, value: float) -> Metric:
        return family(name, [((), value)])

    yield plain("wherry_jobs_submitted_total", totals.get("submitted", 0))
    yield plain("wherry_jobs_max_waiting", reading.max_waiting)
    yield plain("wherry_lease_losses_total", totals.get("lease_losses", 0))
    yield plain("wherry_late_answers_total", totals.get("late", 0))
    yield plain("wherry_requeues_total", totals.get("requeued", 0))
    yield plain("wherry_dead_letters", counts.dead_letters)
    yield plain("wherry_jobs_dead_lettered_total", totals.get("dead_lettered", 0))
    yield plain("wherry_webhooks_pending", counts.webhooks_pending)
    yield plain("wherry_webhooks_failed", counts.webhooks_failed)
    yield family(
        "wherry_webhooks_settled_total",
        [((how,), counts.webhook_totals.get(how, 0)) for how in ("delivered", "failed", "lost")],
    )
    yield plain("wherry_models_left_out", reading.models_left_out)
    yield family(
        "wherry_tenant_device_seconds_total",
        [((tenant,), us / 1e6) for tenant, us in counts.tenant_device_us.items()],
    )


def _redis(reading: FleetReading) -> Iterable[Metric]:
    servers = reading.servers.items()
    for name, fields in (
        ("memory_bytes", {("used",): "memory_used_bytes", ("max",): "memory_max_bytes"}),
        ("aof_enabled", {(): "aof_enabled"}),
        ("aof_ok", {(): "aof_ok"}),
    ):
        told = (
            ((redis, *labels), getattr(server, field))
            for redis, server in servers
            for labels, field in fields.items()
        )
        samples = [(labels, float(value)) for labels, value in told if value is not None]
        yield family(f"wherry_redis_{name}", samples)


def _ends(reading: FleetReading) -> Iterable[Metric]:
    known = codes()
    samples = []
    for model, counts in reading.models.items():
        ends = {("succeeded", ""): counts.succeeded, ("canceled", ""): 0, ("expired", ""): 0}
        for (state, error_type), times in counts.ended.items():
            told = error_type if not error_type or error_type in known else _OTHER
            ends[state, told] = ends.get((state, told), 0) + times
        samples += [((*model, *end), float(times)) for end, times in ends.items()]
    yield family("wherry_jobs_ended_total", samples)


def _models(reading: FleetReading) -> Iterable[Metric]:
    models = reading.models.items()
    for name, field, unit in (
        ("wherry_rows_total", "rows", 1),
        ("wherry_forwards_total", "forwards", 1),
        ("wherry_batch_places_total", "places", 1),
        ("wherry_device_seconds_total", "device_us", 1e6),
        ("nv_inference_request_success", "succeeded", 1),
        ("nv_inference_count", "rows", 1),
        ("nv_inference_exec_count", "forwards", 1),
        ("nv_inference_request_duration_us", "total_us", 1),
        ("nv_inference_queue_duration_us", "queue_us", 1),
        ("nv_inference_compute_input_duration_us", "input_us", 1),
        ("nv_inference_compute_infer_duration_us", "compute_us", 1),
        ("nv_inference_compute_output_duration_us", "output_us", 1),
    ):
        yield family(name, [(model, getattr(counts, field) / unit) for model, counts in models])
    failures = [
        ((*model, reason), float(sum(n for end, n in counts.ended.items() if is_it(end[0]))))
        for model, counts in models
        for reason, is_it in (("CANCELED", "canceled".__eq__), ("OTHER", "canceled".__ne__))
    ]
    yield family("nv_inference_request_failure", failures)
    yield family(
        "wherry_model_ready", [(model, float(is_so)) for model, is_so in reading.ready.items()]
    )
    durations = [(model, _buckets(each.took), each.total_us / 1e6) for model, each in models]
    yield histogram_family("wherry_job_duration_seconds", durations)


def _buckets(took: Mapping[int, int]) -> list[int]:
    """Jobs by the buckets that their steps of time lie in; the last is beyond all bounds."""
    counts = [0] * (len(JOB_BOUNDS_US) + 1)
    for step, times in took.items():
        place = sum(2 ** (step / _STEPS) >= bound for bound in JOB_BOUNDS_US)
        counts[place] += times
    return counts


def _queues(reading: FleetReading) -> Iterable[Metric]:
    lanes = {(*model, lane): 0.0 for model in reading.models for lane in _LANES}
    waiting, oldest = Counter(lanes), dict(lanes)
    running, pending = (Counter(dict.fromkeys(reading.models, 0.0)) for _ in range(2))
    for seen in reading.groups:
        model = (seen.group.model, seen.group.version)
        if model not in reading.models:
            continue
        lane = (*model, seen.group.lane)
        waiting[lane] += seen.waiting
        pending[model] += seen.waiting
        running[model] += seen.running
        oldest[lane] = max(oldest[lane], seen.oldest_s)
    yield family("wherry_jobs_waiting", waiting.items())
    yield family("wherry_oldest_waiting_seconds", oldest.items())
    yield family("wherry_jobs_running", running.items())
    yield family("nv_inference_pending_request_count", pending.items())


def _workers(reading: FleetReading) -> Iterable[Metric]:
    found: Counter[tuple[str, str]] = Counter()
    for worker in reading.fleet.workers:
        families = worker.info.get("families")
        if worker.alive and isinstance(families, list):
            state = str(worker.info.get("state") or "ready")
            found.update((str(each), state) for each in families)
    found["runs", "ready"] = len(reading.run_workers)
    yield family("wherry_workers", [(key, float(count)) for key, count in found.items()])


def _scaling(reading: FleetReading) -> Iterable[Metric]:
    each = reading.scaling
    yield family("wherry_predicted_device_seconds", [((f.family,), f.device_s) for f in each])
    yield family("wherry_desired_workers", [((f.family,), float(f.plan.workers)) for f in each])


def _runs(reading: FleetReading) -> Iterable[Metric]:
    counts, live = reading.counts, reading.counts.live_runs
    states = Counter((run.state,) for run in live)
    yield family("wherry_runs", [(state, float(count)) for state, count in states.items()])
    ended = ("succeeded", "failed", "canceled", "expired")
    totals = counts.run_totals
    yield family("wherry_runs_ended_total", [((each,), totals.get(each, 0)) for each in ended])
    rows = [((each,), totals.get(f"rows {each}", 0)) for each in ("done", "failed")]
    yield family("wherry_run_rows_total", rows)
    told = [((run.id,), run.progress) for run in live if run.progress is not None]
    yield family("wherry_run_progress_ratio", told[:_MOST_RUNS])


#: What is told of a fleet that was read.
FAMILIES: tuple[Callable[[FleetReading], Iterable[Metric]], ...] = (
    _totals,
    _redis,
    _ends,
    _models,
    _queues,
    _workers,
    _scaling,
    _runs,
)
