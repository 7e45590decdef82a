"""Series that make each alert fire, and such as are near to it and do not: promtool's own notation.

`a+bxn` is n steps of b from a, `_xn` n gaps; a step is a minute.
"""

from __future__ import annotations

from typing import NamedTuple


class Case(NamedTuple):
    """`fires` and `still` are series; the minute is when they are looked at."""

    minute: int
    fires: dict[str, str]
    still: dict[str, str]


_MODEL = 'model="m",version="1"'


def _workers(name: str, values: str, labels: str = "") -> dict[str, str]:
    return {f'{name}{{job="wherry-workers",instance="w"{"," if labels else ""}{labels}}}': values}


def _fleet(name: str, values: str, labels: str = "", instance: str = "a") -> dict[str, str]:
    return {f'{name}{{job="wherry",instance="{instance}"{"," if labels else ""}{labels}}}': values}


def _ended(state: str, values: str, error_type: str = "") -> dict[str, str]:
    labels = f'{_MODEL},state="{state}",error_type="{error_type}"'
    return _fleet("wherry_jobs_ended_total", values, labels)


def _http(status: str, values: str, method: str = "POST") -> dict[str, str]:
    labels = f'route="/v2/models/{{model}}/infer",method="{method}",status="{status}"'
    return _fleet("wherry_http_requests_total", values, labels)


def _waiting(values: str, lane: str = "interactive") -> dict[str, str]:
    return _fleet("wherry_jobs_waiting", values, f'{_MODEL},lane="{lane}"')


def _redis(name: str, values: str, labels: str = "", instance: str = "a") -> dict[str, str]:
    """Of one that may be away or full, beside one that is well."""
    well = 1000 if "max" in labels else 1
    return {
        **_fleet(f"wherry_redis_{name}", values, f'redis="text"{labels}', instance),
        **_fleet(f"wherry_redis_{name}", f"{well}x20", f'redis="home"{labels}', instance),
    }


def _store(outcome: str, values: str) -> dict[str, str]:
    labels = f'operation="get",outcome="{outcome}"'
    return _workers("wherry_store_calls_total", values, labels)


_FILL = "wherry_rows_total", "wherry_batch_places_total"

CASES: dict[str, Case] = {
    "WherryApiDown": Case(3, _fleet("up", "1 0x5"), _fleet("up", "1 0 1 0 1")),
    # One of two APIs that sees Redis is enough: the other one's connection is its own trouble.
    "WherryRedisDown": Case(
        3,
        _redis("up", "1 0x5"),
        {
            **_redis("up", "1 0x5"),
            **_redis("up", "1x6", instance="b"),
        },
    ),
    "WherryRedisMemoryHigh": Case(
        8,
        {
            **_redis("memory_bytes", "90x9", ',kind="used"'),
            **_redis("memory_bytes", "100x9", ',kind="max"'),
        },
        {  # 0 is no limit
            **_redis("memory_bytes", "90x9", ',kind="used"'),
            **_redis("memory_bytes", "0x9", ',kind="max"'),
        },
    ),
    "WherryRedisWritesFail": Case(3, _redis("aof_ok", "1 0x5"), _redis("aof_ok", "1x5")),
    "WherryRedisForgets": Case(12, _redis("aof_enabled", "0x15"), _redis("aof_enabled", "1x15")),
    "WherryStoreFails": Case(
        10,
        {**_store("error", "0+1x15"), **_store("ok", "0+9x15")},
        {**_store("error", "0+1x15"), **_store("ok", "0+99x15"), **_store("missing", "0+50x15")},
    ),
    "WherryModelNotServed": Case(
        4,
        {**_waiting("5x9"), **_fleet("wherry_model_ready", "0x9", _MODEL)},
        {**_waiting("5x9"), **_fleet("wherry_model_ready", "1x9", _MODEL)},
    ),
    "WherryJobsWaitLong": Case(
        5,
        _fleet("wherry_oldest_waiting_seconds", "61x9", f'{_MODEL},lane="interactive"'),
        _fleet("wherry_oldest_waiting_seconds", "9000x9", f'{_MODEL},lane="bulk"'),
    ),
    "WherryBulkStands": Case(
        25,
        {**_waiting("5x30", "bulk"), **_fleet("wherry_rows_total", "70x30", _MODEL)},
        {**_waiting("5x30", "bulk"), **_fleet("wherry_rows_total", "0+1x30", _MODEL)},
    ),
    "WherryQueueNearlyFull": Case(
        3,
        {
            **_waiting("50x9"),
            **_waiting("35x9", "bulk"),
            **_fleet("wherry_jobs_max_waiting", "100x9"),
        },
        {  # two APIs tell of the same jobs
            **_waiting("50x9"),
            **_fleet("wherry_jobs_waiting", "50x9", f'{_MODEL},lane="interactive"', instance="b"),
            **_fleet("wherry_jobs_max_waiting", "100x9"),
            **_fleet("wherry_jobs_max_waiting", "100x9", instance="b"),
        },
    ),
    "WherryTicketsLost": Case(
        10,
        _workers("wherry_consumer_restarts_total", "0+1x15"),
        _workers("wherry_consumer_restarts_total", "0 0 0 1x15"),
    ),
    "WherryJobsFail": Case(
        20,
        {**_ended("succeeded", "0+10x30"), **_ended("failed", "0+1x30", "backend_error")},
        {**_ended("succeeded", "0+10x30"), **_ended("failed", "0+9x30", "invalid_row")},
    ),
    "WherryDeadLetters": Case(
        10,
        _fleet("wherry_jobs_dead_lettered_total", "4 4 4 5x15"),
        _fleet("wherry_jobs_dead_lettered_total", "4x20"),
    ),
    "WherryWorkersDie": Case(
        10,
        _fleet("wherry_lease_losses_total", "0+1x15"),
        _fleet("wherry_lease_losses_total", "0 0 1x15"),
    ),
    "WherryAnswersComeLate": Case(
        30,
        _fleet("wherry_late_answers_total", "0+1x40"),
        _fleet("wherry_late_answers_total", "0 0 1x40"),
    ),
    "WherryModelLoadFails": Case(
        10,
        _workers("wherry_model_loads_total", "0 0 1x15", 'model="m",outcome="failed"'),
        _workers("wherry_model_loads_total", "0 0 1x15", 'model="m",outcome="ok"'),
    ),
    "WherryOutOfMemory": Case(
        30,
        _workers("wherry_out_of_memory_total", "0+1x40", 'model="m"'),
        _workers("wherry_out_of_memory_total", "0 3x40", 'model="m"'),
    ),
    "WherryHttpErrors": Case(
        15,
        {**_http("200", "0+90x20"), **_http("500", "0+10x20")},
        {**_http("200", "0+90x20"), **_http("503", "0+10x20"), **_http("422", "0+10x20")},
    ),
    "WherryRefusesJobs": Case(
        12, _http("503", "0+1x20"), {**_http("503", "0+1x20", "GET"), **_http("429", "0+1x20")}
    ),
    "WherryWebhooksFail": Case(
        10,
        _fleet("wherry_webhooks_settled_total", "0 1x15", 'outcome="failed"'),
        _fleet("wherry_webhooks_settled_total", "0+5x15", 'outcome="delivered"'),
    ),
    "WherryWebhooksWait": Case(
        12, _fleet("wherry_webhooks_pending", "1001x15"), _fleet("wherry_webhooks_pending", "9x15")
    ),
    "WherryRunStands": Case(
        50,
        {
            **_fleet("wherry_runs", "1x60", 'state="running"'),
            **_fleet("wherry_run_rows_total", "7x60", 'state="done"'),
            **_fleet("wherry_run_rows_total", "0x60", 'state="failed"'),
        },
        {
            **_fleet("wherry_runs", "1x60", 'state="running"'),
            **_fleet("wherry_run_rows_total", "0+1x60", 'state="done"'),
            **_fleet("wherry_run_rows_total", "0x60", 'state="failed"'),
        },
    ),
    "WherryBatchesAreThin": Case(
        25,
        {
            **_fleet(_FILL[0], "0+1x30", _MODEL),
            **_fleet(_FILL[1], "0+8x30", _MODEL),
            **_waiting("101x30"),
        },
        {
            **_fleet(_FILL[0], "0+1x30", _MODEL),
            **_fleet(_FILL[1], "0+8x30", _MODEL),
            **_waiting("9x30"),
        },
    ),
    "WherryDevicesIdle": Case(
        25,
        {
            **_workers("wherry_device_busy_seconds_total", "0+20x30", 'device="cpu"'),
            **_waiting("101x30"),
        },
        {
            **_workers("wherry_device_busy_seconds_total", "0+50x30", 'device="cpu"'),
            **_waiting("101x30"),
        },
    ),
    "WherryVersionsDiffer": Case(
        70,
        {
            **_fleet("wherry_build_info", "1x80", 'version="1",process="api"'),
            **_workers("wherry_build_info", "1x80", 'version="2",process="worker"'),
        },
        {
            **_fleet("wherry_build_info", "1x80", 'version="2",process="api"'),
            **_workers("wherry_build_info", "1x80", 'version="2",process="worker"'),
        },
    ),
}
