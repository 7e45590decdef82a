"""/metrics by Prometheus' own parser: exact, for those who may, bounded, also without Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from wherry.api.access.keys import make
from wherry.api.core.fleet_metrics import FleetMetrics
from wherry.api.settings import ApiSettings
from wherry.jobs import JobsSettings
from wherry.jobs.keys import Keys
from wherry.ops.ports import free_port
from wherry.ops.redis_server import RedisServer
from wherry.protocol.errors import Unavailable
from wherry.telemetry.metric_specs import FLEET, SPECS, TRITON

from ..conftest import Server, Worker
from ..keyed import Tenants

Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(text: str) -> Values:
    """Every sample by its name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for metric in plain(text)
        for sample in metric.samples
    }


class Page:
    """What a server shows, and how it has changed since it was looked at before."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self.before: Values = {}
        self.now: Values = {}

    def look(self) -> None:
        """Read it anew."""
        self.before, self.now = self.now, read(self._http.get("/metrics").raise_for_status().text)

    def __call__(self, name: str, **labels: str) -> float:
        return self.now[name, frozenset(labels.items())]

    def gained(self, name: str, **labels: str) -> float:
        key = (name, frozenset(labels.items()))
        return self.now.get(key, 0) - self.before.get(key, 0)

    def named(self, name: str) -> dict[frozenset[tuple[str, str]], float]:
        return {labels: value for (each, labels), value in self.now.items() if each == name}


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each scrape looks for itself."""
    monkeypatch.setattr("wherry.api.core.fleet_metrics._GOOD_S", 0.0)
    monkeypatch.setattr("wherry.api.core.fleet_metrics._SHARE", 0.0)


@pytest.fixture
def page(http: httpx.Client) -> Page:
    page = Page(http)
    page.look()
    return page


EMBEDDING = {"model": "embedding", "version": "2"}


def submit(http: httpx.Client, job: dict[str, object], path: str = "embedding") -> str:
    answer = http.post(f"/v2/models/{path}/jobs", json=job)
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["id"]
    return job_id


def test_jobs_are_counted_as_they_were_sent(
    http: httpx.Client, worker: Worker, page: Page, texts: Callable[..., dict[str, object]]
) -> None:
    worker.beat("text", models=("embedding",), state="ready")
    for n in range(3):
        submit(http, texts(f"text {n}"))
    submit(http, texts("later", parameters={"priority": 9}))
    [canceled] = [submit(http, texts("never"))]
    assert http.post(f"/v2/jobs/{canceled}/cancel").status_code == 200
    page.look()
    assert page.gained("wherry_jobs_submitted_total") == 5
    assert page("wherry_jobs_waiting", **EMBEDDING, lane="interactive") == 3
    assert page("wherry_jobs_waiting", **EMBEDDING, lane="bulk") == 1
    assert page("wherry_oldest_waiting_seconds", **EMBEDDING, lane="interactive") > 0
    assert page("nv_inference_pending_request_count", **EMBEDDING) == 4
    assert page("wherry_jobs_running", **EMBEDDING) == 0
    assert page("wherry_workers", family="text", state="ready") == 1
    assert page("wherry_model_ready", **EMBEDDING) == 1
    assert page("wherry_model_ready", model="object-detection", version="1") == 0
    claimed = worker.claim()
    page.look()
    assert page("wherry_jobs_running", **EMBEDDING) == 4
    assert page("wherry_jobs_waiting", **EMBEDDING, lane="bulk") == 0
    assert page("wherry_oldest_waiting_seconds", **EMBEDDING, lane="interactive") == 0
    for job, stats in claimed:
        worker.finish(worker.answer(job, stats), stats)
    page.look()
    ended = {**EMBEDDING, "error_type": ""}
    assert page.gained("wherry_jobs_ended_total", **ended, state="succeeded") == 4
    assert page("wherry_jobs_ended_total", **ended, state="canceled") == 1
    assert page("nv_inference_request_success", **EMBEDDING) == 4
    assert page("nv_inference_request_failure", **EMBEDDING, reason="CANCELED") == 1
    assert page("wherry_job_duration_seconds_count", **EMBEDDING) == 4
    assert page("wherry_job_duration_seconds_bucket", **EMBEDDING, le="+Inf") == 4
    assert page("wherry_job_duration_seconds_sum", **EMBEDDING) > 0


def test_every_metric_of_the_fleet_is_on_the_page(page: Page, http: httpx.Client) -> None:
    shown = {metric.name for metric in plain(http.get("/metrics").text)}
    wanted = {spec.name.removesuffix("_total") for spec in (*FLEET, *TRITON)}
    assert wanted - shown == set()


def test_openmetrics_is_spoken_to_who_asks(http: httpx.Client) -> None:
    answer = http.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    names = {metric.name for metric in openmetrics(answer.text)}
    assert {"wherry_jobs_submitted", "nv_inference_count", "wherry_http_requests"} <= names
    assert http.get("/metrics").headers["content-type"].startswith("text/plain; version=0.0.4")
    packed = http.get("/metrics", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"


def test_requests_are_counted_by_template_method_and_status(http: httpx.Client, page: Page) -> None:
    for n in range(7):
        assert http.get(f"/v2/models/nowhere-{n}").status_code == 404
    assert http.head("/v2/health/live").status_code == 200
    assert http.get("/console/").status_code == 200
    page.look()
    count = "wherry_http_requests_total"
    assert page.gained(count, route="/v2/models/{model}", method="GET", status="404") == 7
    assert page.gained(count, route="/v2/health/live", method="HEAD", status="200") == 1
    [console] = [
        labels
        for labels, value in page.named(count).items()
        if dict(labels)["route"].startswith("/console") and dict(labels)["status"] == "200"
    ]
    assert dict(console)["method"] == "GET"
    name = "wherry_http_request_duration_seconds_count"
    assert page.gained(name, route="/v2/models/{model}") == 7


def test_what_clients_make_up_makes_no_series(http: httpx.Client, page: Page) -> None:
    series = len(page.now)
    for n in range(100):
        http.get(f"/no/such/{n}")
        http.get(f"/v2/models/m{n}/versions/{n}")
        http.request(("PROPFIND", "PURGE", "REPORT")[n % 3], "/v2")
        http.post(f"/v2/models/m{n}/infer", json={"inputs": []})
    page.look()
    assert (
        page.gained("wherry_http_requests_total", route="unmatched", method="GET", status="404")
        == 100
    )
    assert len(page.now) - series < 150, "a few routes, each with its buckets"


def test_ten_thousand_names_in_redis_are_bounded(
    http: httpx.Client, worker: Worker, page: Page, redis_url: str, jobs_settings: JobsSettings
) -> None:
    series = len(page.now)
    keys, redis = Keys(jobs_settings.key_prefix), worker.queue.redis
    redis.zadd(keys.tenant_device, {f"tenant{n}": n for n in range(10_000)})
    redis.hset(keys.ends("embedding/2"), mapping={f"failed made-up-{n}": 1 for n in range(10_000)})
    redis.sadd(keys.runs_live, *(f"run{n}" for n in range(10_000)))
    for n in range(200):
        redis.hset(keys.run(f"run{n}"), mapping={"state": "running", "done": 1, "rows_total": 2})
    page.look()
    assert len(page.named("wherry_tenant_device_seconds_total")) == 50
    assert len(page.named("wherry_run_progress_ratio")) <= 50
    folded = page("wherry_jobs_ended_total", **EMBEDDING, state="failed", error_type="other")
    assert folded == 10_000
    assert len(page.now) - series < 250
    worker.beat("text", served=[f"made{n}/1" for n in range(10_000)])
    page.look()
    declared = len(page.named("wherry_model_ready"))
    assert len(page.named("wherry_rows_total")) == 1000
    assert page("wherry_models_left_out") == 10_000 + declared - 1000


def test_a_look_that_takes_long_is_good_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wherry.api.core.fleet_metrics._SHARE", 20.0)
    now = [0.0]

    class Slow(FleetMetrics):
        looks = 0

        async def _counts(self) -> Any:
            return {}

        async def _reading(self, counts: Any) -> Any:
            self.looks += 1
            now[0] += 2.0  # s
            return self.looks

    async def scrape() -> None:
        no_service: Any = None
        fleet: Any = Slow(no_service, clock=lambda: now[0])
        both = await asyncio.gather(fleet.read(), fleet.read())
        assert [look.reading for look in both] == [1, 1]
        now[0] += 39
        assert (await fleet.read()).reading == 1
        now[0] += 2
        assert (await fleet.read()).reading == 2

    asyncio.run(scrape())


def test_a_look_that_failed_is_good_for_a_moment_only() -> None:
    """An outage is over on the page when it is over."""
    now = [0.0]

    class Away(FleetMetrics):
        looks = 0

        async def _counts(self) -> Any:
            return {}

        async def _reading(self, _: object) -> Any:
            self.looks += 1
            now[0] += 3.0  # s
            if self.looks == 1:
                raise Unavailable
            return self.looks

        def _names_of_parts(self) -> Any:
            return ["home"]

    async def scrape() -> None:
        no_service: Any = None
        fleet: Any = Away(no_service, clock=lambda: now[0])
        assert (await fleet.read()).reading is None
        now[0] += 3.5
        assert (await fleet.read()).reading == 2

    asyncio.run(scrape())


# --- who may ---


def test_a_key_is_needed_with_the_scope_for_it(tenants: Tenants) -> None:
    for path in ("/metrics", "/v2/metrics/targets"):
        assert tenants[""].get(path).status_code == 401
        assert tenants["acme"].get(path).status_code == 403
        assert tenants["admin"].get(path).status_code == 200
        assert tenants["prometheus"].get(path).status_code == 200
    for path in ("/v2/jobs", "/v2/queues", "/v2/keys", "/v2/history", "/v2/webhooks"):
        assert tenants["prometheus"].get(path).status_code == 403, path
    assert tenants["prometheus"].post("/v2/models/embedding/infer", json={}).status_code == 403
    assert "'metrics'" in tenants["acme"].get("/metrics").text


@pytest.mark.parametrize(
    "fields",
    [
        {"tenant": "acme", "scopes": ["metrics"]},
        {"tenant": "acme", "scopes": ["metrics", "read"]},
        {"scopes": ["metrics", "read"]},
    ],
)
def test_no_tenant_has_a_key_for_metrics(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        make(**fields)


def test_the_operator_may_have_both() -> None:
    assert make(scopes=["admin", "metrics"]).key.caller.admin


# --- targets ---


def test_targets_are_what_prometheus_discovers(http: httpx.Client, worker: Worker) -> None:
    worker.beat("text", metrics="10.0.0.7:9100", node="text-0@box", host="box", device="cuda:1")
    found = http.get("/v2/metrics/targets").json()
    api, ours = found
    assert api["targets"] == [http.base_url.netloc.decode()]
    assert api["labels"]["part"] == "api"
    assert ours == {
        "targets": ["10.0.0.7:9100"],
        "labels": {
            "part": "worker",
            "instance": "text-0@box",
            "machine": "box",
            "family": "text",
            "device": "cuda:1",
        },
    }
    assert all(isinstance(value, str) for each in found for value in each["labels"].values()), (
        "Prometheus takes nothing else"
    )
    worker.beat("text")  # of a version before, or without a page
    assert len(http.get("/v2/metrics/targets").json()) == 1


# --- without Redis, and on a port of its own ---


@pytest.fixture
def alone(
    api_settings: ApiSettings, jobs_settings: JobsSettings, tmp_path: Any
) -> Iterator[tuple[str, RedisServer]]:
    with RedisServer(tmp_path / "redis") as redis:
        jobs = jobs_settings.model_copy(update={"redis_url": redis.url})
        with Server(api_settings, jobs) as url:
            yield url, redis


def test_the_process_own_come_without_redis(alone: tuple[str, RedisServer]) -> None:
    url, redis = alone
    assert 'wherry_redis_up{redis="home"} 1.0' in httpx.get(f"{url}/metrics").text
    redis.stop()
    answer = httpx.get(f"{url}/metrics", timeout=10)
    assert answer.status_code == 200
    found = read(answer.text)
    assert found["wherry_redis_up", frozenset({("redis", "home")})] == 0
    assert ("wherry_jobs_submitted_total", frozenset()) not in found
    assert ("process_cpu_seconds_total", frozenset()) in found
    assert any(name == "wherry_http_requests_total" for name, _ in found)
    assert found["wherry_redis_calls_total", frozenset({("outcome", "error")})] > 0


def test_a_port_of_its_own_shows_the_same_without_a_key(
    api_settings: ApiSettings,
    keyed_jobs: JobsSettings,
    tmp_path: Any,
    monkeypatch: Any,
    redis_url: str,
) -> None:
    from ..keyed import write_keys

    port = free_port()
    monkeypatch.setenv("WHERRY_METRICS_PORT", str(port))
    settings = api_settings.model_copy(update={"api_keys": write_keys(tmp_path / "keys.toml")})
    with Server(settings, keyed_jobs) as url:
        assert httpx.get(f"{url}/metrics").status_code == 401
        found = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        assert 'wherry_redis_up{redis="home"} 1.0' in found
        assert "wherry_http_requests_total" in found
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/metrics")


def test_no_name_is_shown_that_the_tables_have_not(http: httpx.Client) -> None:
    shown = {metric.name for metric in plain(http.get("/metrics").text)}
    known = {name.removesuffix("_total") for name in SPECS}
    assert {name for name in shown - known if not name.startswith("process_")} == set()


def test_the_api_page_says_what_comes(http: httpx.Client) -> None:
    good = http.get("/openapi.json").json()["paths"]["/metrics"]["get"]["responses"]["200"]
    assert set(good["content"]) == {"text/plain", "application/openmetrics-text"}
