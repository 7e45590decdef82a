"""Each fault that `wherry doctor` knows, put into a real Redis, store and API, is found by name."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from wherry.api.settings import ApiSettings
from wherry.jobs import Group, JobsSettings, NewJob, Queue
from wherry.jobs.drain import ask_drain
from wherry.jobs.fleet import heartbeat, set_loaded
from wherry.jobs.keys import Keys
from wherry.jobs.processes import about
from wherry.jobs.run_workers import beat
from wherry.jobs.stores import FolderStore
from wherry.jobs.submit import submit
from wherry.ops.data_folder import DataFolder
from wherry.ops.doctor import command
from wherry.ops.doctor.examination import examine
from wherry.ops.doctor.facts import Disk, Latency
from wherry.ops.doctor.report import findings, show
from wherry.ops.redis_server import RedisServer
from wherry.protocol.env_file import env_text, write_private

from ..api.conftest import Server
from ..support.models import model
from ..support.sentinels import MASTER, FailingOver
from ..support.waiting import until

ROOT = Path(__file__).parents[2]
MODEL = "embedding/1"
NODE = "text-0@here"

#: What calls take here: tests of these give their own.
_OF_THE_MACHINE = ("redis-latency", "store-latency")

APP = typer.Typer()
command.register(APP)


class Patient:
    """A small fleet: Redis and an API that are real, and a worker that only says it is there."""

    def __init__(self, url: str, api: str, settings: JobsSettings) -> None:
        self.api, self.settings = api, settings
        self.queue, self.keys = Queue(url), Keys(settings.key_prefix)
        self.redis: Any = self.queue.redis

    def beat(self, node: str = NODE, **said: object) -> None:
        info: dict[str, object] = {
            **about(self.settings),
            "node": node,
            "families": ["text"],
            "served": [MODEL],
            "state": "ready",
            **said,
        }
        self.queue.run(heartbeat(f"{node}#1", info, self.settings))

    def submit(self) -> None:
        group = Group("text", "embedding", "1")
        job = NewJob(
            id="a", task="embedding", group=group, payload=b"{}", header_length=2, fingerprint="f"
        )
        self.queue.run(submit(job, self.settings))

    def facts(self, **changes: object) -> Any:
        return examine(self.settings.model_copy(update=changes), self.api)

    def found(self, **changes: object) -> dict[str, tuple[str, str]]:
        """Severity and text of each finding, by its check, but for how busy this machine is."""
        told: dict[str, tuple[str, str]] = {}
        for each in findings(self.facts(**changes)):  # the worst first
            if each.check not in _OF_THE_MACHINE:
                told.setdefault(each.check, (each.severity, each.found))
        return told


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patient]:
    folder = tmp_path_factory.mktemp("doctor")
    (folder / "models.toml").write_text(model("embedding"))
    with RedisServer(folder / "redis", maxmemory="256mb") as redis:
        settings = JobsSettings(redis_url=redis.url, store_dir=folder / "blobs", key_prefix="ill")
        api = ApiSettings(models=folder / "models.toml")
        with Server(api, settings) as url:
            patient = Patient(redis.url, url, settings)
            yield patient
            patient.queue.close()


@pytest.fixture
def patient(fleet: Patient) -> Iterator[Patient]:
    """The fleet as it should be; what a test does to it is undone."""
    fleet.beat()
    until(lambda: fleet.redis.hlen(fleet.keys.apis))
    until(lambda: fleet.redis.exists(fleet.keys.proof))
    config = fleet.redis.config_get("*")
    yield fleet
    for name in ("maxmemory-policy", "maxmemory", "appendonly", "appendfsync"):
        fleet.redis.config_set(name, config[name])
    kept = {fleet.keys.apis.encode(), fleet.keys.proof.encode(), fleet.keys.fleet.encode()}
    if gone := [key for key in fleet.redis.keys("*") if key not in kept]:
        fleet.redis.delete(*gone)


def test_a_fleet_that_is_well_has_no_finding(patient: Patient) -> None:
    assert patient.found() == {}


@pytest.mark.parametrize(
    ("name", "value", "check", "severity"),
    [
        ("maxmemory-policy", "allkeys-lru", "redis-policy", "error"),
        ("maxmemory", "0", "redis-maxmemory", "warning"),
        ("maxmemory", "1mb", "redis-memory", "error"),
        ("appendonly", "no", "redis-aof", "error"),
        ("appendfsync", "no", "redis-fsync", "warning"),
    ],
)
def test_a_redis_that_may_lose_something(
    patient: Patient, name: str, value: str, check: str, severity: str
) -> None:
    patient.redis.config_set(name, value)
    assert {c: s for c, (s, _) in patient.found().items()} == {check: severity}


def test_a_redis_that_is_away_or_follows_another(patient: Patient, tmp_path: Path) -> None:
    away = patient.found(redis_url="redis://127.0.0.1:1/0")
    assert away["redis-away"][0] == "error"
    assert "127.0.0.1:1" in away["redis-away"][1]
    patient.redis.config_set("repl-diskless-sync-delay", 0)
    with RedisServer(tmp_path, maxmemory="256mb") as replica:
        queue = Queue(replica.url)
        port = patient.redis.connection_pool.connection_kwargs["port"]
        queue.redis.replicaof("127.0.0.1", port)
        until(lambda: queue.redis.exists(patient.keys.proof))
        found = patient.found(redis_url=replica.url)
        queue.close()
    assert found["redis-replica"][0] == "error"


def test_a_redis_that_wants_for_replicas(patient: Patient) -> None:
    patient.redis.config_set("min-replicas-to-write", 1)
    try:
        facts = patient.facts()
    finally:
        patient.redis.config_set("min-replicas-to-write", 0)
    found = {each.check: each for each in findings(facts)}["redis-replicas-few"]
    assert found.severity == "error"
    assert found.found.endswith("and min-replicas-to-write is 1")
    assert "redis-replicas-few" not in patient.found()


def test_it_looks_at_the_stack_that_runs_in_this_folder(
    patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", {**os.environ})
    for name in ("WHERRY_REDIS_URL", "WHERRY_URL"):
        os.environ.pop(name, None)
    folder = DataFolder(Path(".wherry"))
    folder.acquire()
    told = {"WHERRY_REDIS_URL": patient.settings.redis_url, "WHERRY_KEY_PREFIX": "ill"}
    told |= {"WHERRY_URL": patient.api, "WHERRY_STORE_DIR": str(patient.settings.store_dir)}
    write_private(folder.fleet_file, env_text(told))
    seen = CliRunner().invoke(APP, ["--json"])
    assert seen.exit_code == 0, seen.output
    assert json.loads(seen.stdout)["findings"] == []
    assert "`wherry up` runs in .wherry" in seen.stderr
    folder.release()
    for name in told:
        os.environ.pop(name)
    # Nobody runs there now: the file that was left is another day's.
    os.environ["WHERRY_URL"] = "http://127.0.0.1:1"
    assert "`wherry up` runs" not in CliRunner().invoke(APP, ["--json"]).stderr


def test_sentinels_that_are_hasty(tmp_path: Path) -> None:
    with FailingOver(tmp_path / "cluster", password="secret", down_after_ms=1000) as cluster:
        settings = JobsSettings(redis_url=cluster.url, store_dir=tmp_path / "blobs")

        def told() -> list[str]:
            facts = examine(settings, "http://127.0.0.1:1")
            hasty = [each for each in findings(facts) if each.check == "redis-sentinels-hasty"]
            assert all(each.severity == "warning" for each in hasty)
            return [each.found.partition(" down ")[2] for each in hasty]

        assert told() == ["after 1000 ms"]
        # One replica, and nobody waits for it: a plain failover may lose what it has not.
        for least, noted in ((0, True), (1, False)):
            asked = settings.model_copy(update={"min_replicas": least})
            found = findings(examine(asked, "http://127.0.0.1:1"))
            assert ("redis-failover-plain" in {each.check for each in found}) is noted
        for sentinel in cluster.sentinels[1:]:
            sentinel.client.sentinel_set(MASTER, "down-after-milliseconds", 5000)
        cluster.sentinels[0].close()
        assert told() == []


def test_a_redis_that_refuses_config_and_a_replica_that_lags(patient: Patient) -> None:
    facts = patient.facts()
    lagging = {"ip": "10.0.0.2", "port": 6379, "state": "online", "lag": 60}
    info = {**facts.redis.info, "connected_slaves": 1, "slave0": lagging}
    sick = {"aof_last_write_status": "err", "cluster_enabled": 1, "redis_version": "6.2.1"}
    sick |= {"maxclients": 100, "connected_clients": 95}
    redis = replace(
        facts.redis,
        info={**info, **sick},
        config=None,
        latency=Latency.of([0.02] * 50),
        ahead_s=-9.0,
        descriptors=(90, 100),
    )
    found = {each.check for each in findings(replace(facts, redis=redis))}
    assert found == {
        *("redis-replica-lag", "redis-config", "redis-aof-write", "redis-cluster"),
        *("redis-version", "redis-latency", "clock-here", "redis-files", "redis-clients"),
    }


def test_a_worker_whose_clock_is_off(patient: Patient) -> None:
    patient.beat(seen_at_ms=int((time.time() + 90) * 1000))
    assert patient.found() == {
        "clock": ("warning", f"the clock of worker {NODE} is 90 s ahead of Redis'")
    }


def test_a_clock_is_told_by_the_lease_that_its_worker_has(patient: Patient) -> None:
    other = patient.settings.model_copy(update={"lease_ttl_s": 60.0})
    info = {**about(other), "node": NODE, "served": [MODEL], "state": "ready"}
    patient.queue.run(heartbeat(f"{NODE}#1", info, other))
    [worker] = [each for each in patient.facts().fleet.parties if each.kind == "worker"]
    assert abs(worker.ahead_s) < 2


def test_dead_workers_and_what_they_hold(patient: Patient) -> None:
    patient.redis.sadd(patient.keys.workers, "text-9@gone#1")
    patient.redis.sadd(patient.keys.running("text-9@gone#1"), "a", "b")
    severity, found = patient.found()["worker-dead"]
    assert (severity, found) == ("warning", "worker text-9@gone#1 is dead, which holds 2 jobs")
    patient.redis.delete(patient.keys.alive(f"{NODE}#1"))
    assert patient.found()["worker-dead"][0] == "error", "nobody takes them back"


def test_run_workers_that_are_silent_or_ahead(patient: Patient) -> None:
    ago = int((time.time() - 600) * 1000)
    patient.queue.run(beat("runs-0@a#1", {"seen_at_ms": ago}, patient.settings))
    patient.queue.run(
        beat(
            "runs-1@a#1",
            {**about(patient.settings), "seen_at_ms": ago + 1_200_000},
            patient.settings,
        )
    )
    found = patient.found()
    assert "run worker runs-0@a#1" in found["worker-dead"][1]
    assert "runs-1@a#1" in found["clock"][1]


def test_a_model_that_nobody_serves(patient: Patient) -> None:
    patient.beat(served=[])
    assert patient.found()["model-unserved"][0] == "warning"
    patient.submit()
    assert patient.found()["model-unserved"] == (
        "error",
        f"model {MODEL} is not served: no worker has it",
    )
    patient.beat(served=[], loading=[MODEL])
    assert "model-unserved" not in patient.found()
    patient.beat(served=[])
    patient.redis.hset(patient.keys.failed, MODEL, "no such folder")
    assert "no such folder" in patient.found()["model-unserved"][1]
    patient.redis.delete(patient.keys.failed)
    patient.queue.run(set_loaded("embedding", patient.settings, loaded=False))
    assert "model-unserved" not in patient.found()


def test_processes_that_differ_in_settings_models_or_version(patient: Patient) -> None:
    patient.beat(
        settings={"max_attempts": 9},
        declared={MODEL: "other"},
        version="0.0.9",
    )
    found = patient.found()
    assert set(found) >= {"settings", "models-file", "versions"}
    assert f"9 at worker {NODE}" in found["settings"][1]
    assert f"other at worker {NODE}" in found["models-file"][1]
    assert "0.0.9: worker" in found["versions"][1]


def test_a_worker_of_before_versions_were_told(patient: Patient) -> None:
    info: dict[str, object] = {"families": ["text"], "models": ["embedding"], "state": "ready"}
    patient.queue.run(heartbeat(f"{NODE}#1", info, patient.settings))
    found = patient.found()
    assert set(found) == {"versions"}
    assert "before versions were told: worker" in found["versions"][1]


def test_a_process_of_another_queue_format(patient: Patient) -> None:
    patient.beat(
        queue_format=[2, 2], version="9.9", state="waiting", reason="its queue format is newer"
    )
    found = patient.found()
    assert found["idle"] == (
        "error",
        f"worker {NODE} serves nothing: its queue format is newer",
    )
    assert found["queue-format"][0] == "error"


def test_a_drained_worker_is_a_note(patient: Patient) -> None:
    patient.queue.run(ask_drain(NODE, patient.settings))
    patient.beat(state="draining", reason="drained by an operator")
    found = patient.found()
    assert found["worker-drained"] == ("note", f"worker {NODE} claims no more (0 jobs run)")


def test_what_waits_too_long_and_what_was_given_up(patient: Patient) -> None:
    patient.submit()
    assert "oldest-waiting" not in patient.found()
    ago = int((time.time() - 3600) * 1000)
    patient.redis.hset(patient.keys.job("a"), "created_at", ago)
    patient.redis.zadd(patient.keys.dead, {"b": 1})
    patient.redis.zadd(patient.keys.webhooks_failed, {"c": 1})
    found = patient.found()
    assert set(found) == {"oldest-waiting", "dead-letters", "webhooks-failed"}
    assert "the oldest for 3600 s" in re.sub(r"36\d\d s", "3600 s", found["oldest-waiting"][1])


def test_a_store_that_cannot_be_written_or_is_anothers(patient: Patient, tmp_path: Path) -> None:
    blobs = Path(patient.settings.store_dir)
    shutil.rmtree(blobs / "do", ignore_errors=True)
    (blobs / "do").write_text("in the way of what it writes")
    try:
        severity, found = patient.found()["store-away"]
    finally:
        (blobs / "do").unlink()
    assert (severity, "refused a write" in found) == ("error", True)

    other = patient.found(store_dir=tmp_path / "other")
    assert other["store-other"][0] == "warning"
    assert not (tmp_path / "other").exists(), "nothing is written into what is not the fleet's"

    store = FolderStore(blobs)
    ref = store.put("fleet/stranger", b"")
    assert "stranger" in patient.found()["store-shared"][1]
    store.delete(ref)


def test_slow_stores_and_full_disks(patient: Patient) -> None:
    facts = patient.facts()
    slow = {"put": Latency.of([0.9] * 50)}
    disks = (Disk(what="a", free=1, total=100), Disk(what="b", free=5, total=100), facts.disks[0])
    sick = replace(facts, store=replace(facts.store, latency=slow), disks=disks)
    found = [(each.check, each.severity) for each in findings(sick)]
    assert found[0] == ("disk", "error")
    assert {("disk", "warning"), ("store-latency", "warning")} <= set(found)


def test_an_api_that_is_away_not_ready_or_of_another_fleet(patient: Patient) -> None:
    away = examine(patient.settings, "http://127.0.0.1:1")
    assert {each.check for each in findings(away)} == {"api-away"}

    patient.redis.delete(patient.keys.alive(f"{NODE}#1"))
    assert "no worker for family 'text'" in patient.found()["api-not-ready"][1]

    elsewhere = patient.found(key_prefix="nobody")
    assert elsewhere["fleet-empty"][0] == "error"
    patient.redis.hset(
        Keys("other").apis, "b", f"{int(time.time() * 1000)} " + json.dumps({"process": {}})
    )
    assert "another fleet" in patient.found(key_prefix="other")["api-other-fleet"][1]


def run(patient: Patient, monkeypatch: pytest.MonkeyPatch, *options: str) -> tuple[int, str]:
    settings = patient.settings
    monkeypatch.setenv("WHERRY_REDIS_URL", settings.redis_url)
    monkeypatch.setenv("WHERRY_KEY_PREFIX", settings.key_prefix)
    monkeypatch.setenv("WHERRY_STORE_DIR", str(settings.store_dir))
    monkeypatch.setenv("WHERRY_URL", patient.api)
    done = CliRunner().invoke(APP, list(options))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def test_the_command_fails_for_an_error_alone(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, output = run(patient, monkeypatch)
    assert (status, output.splitlines()[-1]) == (0, "nothing is wrong")
    patient.redis.config_set("appendfsync", "no")
    status, output = run(patient, monkeypatch)
    assert (status, output.splitlines()[-1]) == (0, "1 warning")
    patient.redis.config_set("maxmemory-policy", "allkeys-lru")
    status, output = run(patient, monkeypatch)
    assert (status, output.splitlines()[-1]) == (1, "1 error, 1 warning")
    assert "remedy: CONFIG SET maxmemory-policy noeviction" in output

    status, output = run(patient, monkeypatch, "--json")
    told = json.loads(output)
    assert (status, told["ok"]) == (1, False)
    assert [each["check"] for each in told["findings"]] == ["redis-policy", "redis-fsync"]
    assert {each["kind"] for each in told["processes"]} == {"worker", "api"}
    assert told["versions"]["redis server"]
    assert len(told["measured"]["store_put_latency_ms"]) == 2

    monkeypatch.setenv("WHERRY_LEASE_TTL_S", "soon")
    done = CliRunner().invoke(APP, [])
    assert (done.exit_code, "WHERRY_LEASE_TTL_S" in done.output) == (2, True)


def test_each_finding_leads_to_a_place_on_a_page() -> None:
    """And its check is told on the page of operations."""
    source = "".join(path.read_text() for path in (ROOT / "ops" / "doctor").glob("*_checks.py"))
    pages = set(re.findall(r'"(docs/[^"#]+\.md(?:#[^"]+)?)"', source))
    assert len(pages) > 8
    for page in pages:
        path, _, place = page.partition("#")
        text = (ROOT / path).read_text("utf-8")
        heads = {_anchor(line) for line in text.splitlines() if line.startswith("#")}
        assert not place or place in heads, page
    operations = (ROOT / "docs" / "operations.md").read_text("utf-8")
    for check in re.findall(r'check="([^"]+)"', source):
        assert f"`{check}`" in operations, check


def _anchor(head: str) -> str:
    words = head.lstrip("# ").lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def test_measurements_are_in_words_for_people(
    patient: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    show(patient.facts(), [])
    said = capsys.readouterr().out
    assert re.search(
        r"^redis latency  [\d.]+ ms \(median\), [\d.]+ ms \(p99\)$", said, re.MULTILINE
    )
    assert re.search(r"^redis maxmemory  ([\d,]+ MB|no limit)$", said, re.MULTILINE)
    assert re.search(r"^redis clients  \d+ of \d+$", said, re.MULTILINE)
    assert re.search(r"^redis aof  (on|off)$", said, re.MULTILINE)
    assert re.search(r"^clock ahead  [+-]\d\.\d{3} s$", said, re.MULTILINE)
