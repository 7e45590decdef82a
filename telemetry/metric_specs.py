"""Every metric there is: name, kind, labels, meaning. docs/metrics.md is made of these tables."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What Prometheus calls it."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    #: Triton's counters: OpenMetrics allows none whose name does not end in `_total`.
    UNTYPED = "unknown"


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One metric. `buckets` are a histogram's upper bounds."""

    name: str
    kind: Kind
    #: One sentence, without a full stop, as the page and the documentation show it.
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


#: Upper bounds in seconds: of what a request or a job takes, and of what a part of a batch does.
_REQUEST_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_QUEUE_S = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0)
_PART_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)
_CALL_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
_LOAD_S = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)
_SHARE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

#: Redis counts how long jobs took in steps of which four make twice the time. These bounds lie
#: between steps, so that what a bucket holds is exact: powers of two, in µs.
JOB_BOUNDS_US = tuple(
    2**power for power in (12, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 25, 27, 30)
)

_MODEL = ("model", "version")
_REDIS = ("redis",)
_COUNTER, _GAUGE, _HISTOGRAM, _UNTYPED = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM, Kind.UNTYPED

#: Read from Redis at the scrape: equal whichever API process is asked.
FLEET = (
    MetricSpec("wherry_redis_up", _GAUGE, "Whether a Redis answered this scrape, home or that of families: without home the metrics of the fleet are left out", _REDIS),
    MetricSpec("wherry_jobs_submitted_total", _COUNTER, "Jobs that were accepted"),
    MetricSpec("wherry_jobs_ended_total", _COUNTER, "Jobs that ended: succeeded, failed, canceled or expired; of failed ones the type of the error", (*_MODEL, "state", "error_type")),
    MetricSpec("wherry_job_duration_seconds", _HISTOGRAM, "From submit to end, of jobs that succeeded", _MODEL, tuple(us / 1e6 for us in JOB_BOUNDS_US)),
    MetricSpec("wherry_rows_total", _COUNTER, "Rows that went through a model", _MODEL),
    MetricSpec("wherry_forwards_total", _COUNTER, "Forwards of a model: batches, as they were run", _MODEL),
    MetricSpec("wherry_batch_places_total", _COUNTER, "Rows that those forwards had room for: rows over places is how full batches are", _MODEL),
    MetricSpec("wherry_device_seconds_total", _COUNTER, "Seconds that a model held its device", _MODEL),
    MetricSpec("wherry_tenant_device_seconds_total", _COUNTER, "Device seconds of the 50 tenants that had most in all, on each Redis; those of the others are wherry_device_seconds_total less these", ("tenant",)),
    MetricSpec("wherry_jobs_waiting", _GAUGE, "Jobs in the queue", (*_MODEL, "lane")),
    MetricSpec("wherry_jobs_running", _GAUGE, "Jobs that workers hold", _MODEL),
    MetricSpec("wherry_oldest_waiting_seconds", _GAUGE, "Age of the oldest job in the queue; 0 when none waits", (*_MODEL, "lane")),
    MetricSpec("wherry_jobs_max_waiting", _GAUGE, "Jobs that may wait in all before submit is refused: WHERRY_MAX_WAITING"),
    MetricSpec("wherry_workers", _GAUGE, "Live workers by family and state; one of several families is counted with each", ("family", "state")),
    MetricSpec("wherry_predicted_device_seconds", _GAUGE, "Device seconds that what waits and runs will take, by what batches took lately", ("family",)),
    MetricSpec("wherry_desired_workers", _GAUGE, "Workers that the family wants, so that nobody waits for longer than allowed", ("family",)),
    MetricSpec("wherry_model_ready", _GAUGE, "Whether a live worker serves the model and it is not unloaded", _MODEL),
    MetricSpec("wherry_models_left_out", _GAUGE, "Models beyond the 1000 that metrics are told of"),
    MetricSpec("wherry_lease_losses_total", _COUNTER, "Workers that ended, or fell silent, while they held jobs"),
    MetricSpec("wherry_late_answers_total", _COUNTER, "Answers that were dropped, for the lease had passed on"),
    MetricSpec("wherry_requeues_total", _COUNTER, "Jobs taken back from workers that were lost"),
    MetricSpec("wherry_dead_letters", _GAUGE, "Dead letters that wait for an operator"),
    MetricSpec("wherry_jobs_dead_lettered_total", _COUNTER, "Jobs that became dead letters"),
    MetricSpec("wherry_webhooks_pending", _GAUGE, "Webhooks to deliver, now or again"),
    MetricSpec("wherry_webhooks_failed", _GAUGE, "Webhooks that were given up, kept for a while"),
    MetricSpec("wherry_webhooks_settled_total", _COUNTER, "Webhooks that are done with: delivered, failed (given up), or lost (there was nothing to tell)", ("outcome",)),
    MetricSpec("wherry_redis_memory_bytes", _GAUGE, "Memory of a Redis: used, and max (0: no limit)", (*_REDIS, "kind")),
    MetricSpec("wherry_redis_aof_enabled", _GAUGE, "Whether a Redis writes what it acknowledges to a file", _REDIS),
    MetricSpec("wherry_redis_aof_ok", _GAUGE, "Whether the last writes to that file went well; left out where it is off", _REDIS),
    MetricSpec("wherry_runs", _GAUGE, "Runs that go on, by state", ("state",)),
    MetricSpec("wherry_runs_ended_total", _COUNTER, "Runs that ended, by state", ("state",)),
    MetricSpec("wherry_run_rows_total", _COUNTER, "Rows of runs that were answered: done, or failed", ("state",)),
    MetricSpec("wherry_run_progress_ratio", _GAUGE, "How far a run is that goes on, of 50 at most; left out until its rows are counted", ("run",)),
)  # fmt: skip

#: In Triton's words, where a meaning is the same. Durations are sums over requests that succeeded.
TRITON = (
    MetricSpec("nv_inference_request_success", _UNTYPED, "Jobs that succeeded", _MODEL),
    MetricSpec("nv_inference_request_failure", _UNTYPED, "Jobs that failed, were canceled or expired", (*_MODEL, "reason")),
    MetricSpec("nv_inference_count", _UNTYPED, "Rows that went through the model", _MODEL),
    MetricSpec("nv_inference_exec_count", _UNTYPED, "Forwards of the model", _MODEL),
    MetricSpec("nv_inference_pending_request_count", _GAUGE, "Jobs in the queue", _MODEL),
    MetricSpec("nv_inference_request_duration_us", _UNTYPED, "From submit to end, in µs", _MODEL),
    MetricSpec("nv_inference_queue_duration_us", _UNTYPED, "In the queue, and for the device, in µs", _MODEL),
    MetricSpec("nv_inference_compute_input_duration_us", _UNTYPED, "Reading and decoding rows, in µs", _MODEL),
    MetricSpec("nv_inference_compute_infer_duration_us", _UNTYPED, "On the device, in µs", _MODEL),
    MetricSpec("nv_inference_compute_output_duration_us", _UNTYPED, "Writing answers down, in µs", _MODEL),
)  # fmt: skip

#: Of GPUs, on the page of the worker that has one, as NVIDIA's driver tells.
GPU = (
    MetricSpec("nv_gpu_utilization", _GAUGE, "Share of the last moments in which the GPU computed, 0 to 1", ("gpu_uuid",)),
    MetricSpec("nv_gpu_memory_total_bytes", _GAUGE, "Memory of the GPU", ("gpu_uuid",)),
    MetricSpec("nv_gpu_memory_used_bytes", _GAUGE, "Memory of the GPU that is taken, by whomever", ("gpu_uuid",)),
)  # fmt: skip

#: What an API process did; of all processes behind its port.
API = (
    MetricSpec("wherry_http_requests_total", _COUNTER, "HTTP requests by route (its template; `unmatched` where none took it, or it was refused before), method and status", ("route", "method", "status")),
    MetricSpec("wherry_http_request_duration_seconds", _HISTOGRAM, "From a request's head to the last byte of its answer; streams and long polls take as long as they last", ("route",), _REQUEST_S),
    MetricSpec("wherry_http_requests_in_progress", _GAUGE, "HTTP requests that are being answered"),
    MetricSpec("wherry_grpc_requests_total", _COUNTER, "gRPC calls by method and status code", ("method", "status")),
    MetricSpec("wherry_webhook_deliveries_total", _COUNTER, "Tries of this process to deliver a webhook, by what came of them", ("outcome",)),
)  # fmt: skip

#: What a worker did; on a page of its own.
WORKER = (
    MetricSpec("wherry_job_queue_duration_seconds", _HISTOGRAM, "From a job's submit to its claim, by the clocks of Redis and of this machine", ("model", "lane"), _QUEUE_S),
    MetricSpec("wherry_batch_decode_duration_seconds", _HISTOGRAM, "Reading and decoding a batch's rows", ("model",), _PART_S),
    MetricSpec("wherry_batch_device_wait_duration_seconds", _HISTOGRAM, "A batch's wait for the device, while others computed", ("model",), _PART_S),
    MetricSpec("wherry_batch_compute_duration_seconds", _HISTOGRAM, "A batch on the device", ("model",), _PART_S),
    MetricSpec("wherry_batch_store_duration_seconds", _HISTOGRAM, "Writing a batch's answers down, large ones into the blob store", ("model",), _PART_S),
    MetricSpec("wherry_batch_rows", _HISTOGRAM, "Rows of a batch", ("model",), _ROWS),
    MetricSpec("wherry_batch_fill_ratio", _HISTOGRAM, "Rows of a batch over what its forwards had room for", ("model",), _SHARE),
    MetricSpec("wherry_device_busy_seconds_total", _COUNTER, "Seconds that models held this worker's device", ("device",)),
    MetricSpec("wherry_device_memory_bytes", _GAUGE, "Memory of this worker's device, where its runtime tells: used, total", ("device", "kind")),
    MetricSpec("wherry_model_loads_total", _COUNTER, "Loads of a model: ok, or failed", ("model", "outcome")),
    MetricSpec("wherry_model_load_duration_seconds", _HISTOGRAM, "Loading a model and warming it", ("model",), _LOAD_S),
    MetricSpec("wherry_model_memory_bytes", _GAUGE, "Memory that a loaded model takes", _MODEL),
    MetricSpec("wherry_tickets_total", _COUNTER, "Tickets that came: claimed jobs, found none (empty), were for others (passed_on), or wait for room (parked)", ("kind",)),
    MetricSpec("wherry_consumer_restarts_total", _COUNTER, "Restarts of a Celery consumer that heard nothing"),
    MetricSpec("wherry_out_of_memory_total", _COUNTER, "Forwards that ran out of memory and were halved", ("model",)),
)  # fmt: skip

#: On every page.
EVERYWHERE = (
    MetricSpec("wherry_build_info", _GAUGE, "1, with the version and what the process is: api, worker or runs", ("version", "process")),
    MetricSpec("wherry_redis_calls_total", _COUNTER, "Round trips to Redis by outcome: ok, or error (it could not be reached)", ("outcome",)),
    MetricSpec("wherry_redis_call_duration_seconds", _HISTOGRAM, "A round trip to Redis, of one step or of several that met", (), _CALL_S),
    MetricSpec("wherry_store_calls_total", _COUNTER, "Calls of the blob store (put, get, delete) by outcome: ok, missing (there is no such blob), or error", ("operation", "outcome")),
    MetricSpec("wherry_store_call_duration_seconds", _HISTOGRAM, "A call of the blob store, with its retries", ("operation",), _REQUEST_S),
)  # fmt: skip

ALL = (*FLEET, *TRITON, *GPU, *API, *WORKER, *EVERYWHERE)
SPECS = {spec.name: spec for spec in ALL}
