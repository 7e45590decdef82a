"""S3 is slow, refuses, hangs, breaks off: jobs fail with a typed error or wait; none is left."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from wherry.client import Client
from wherry.jobs.settings import JobsSettings
from wherry.ops.redis_server import RedisServer
from wherry.ops.stack import Stack
from wherry.protocol.errors import StoreUnavailable, WherryError
from wherry.protocol.states import JobState

from ..support.models import model
from ..support.waiting import until
from .flock import at_rest, follow, text
from .ledger import Ledger
from .shaky_s3 import Fate, ShakyS3

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

MODELS = model("embedding", max_batch_size=8)

#: Bytes of a text whose payload goes to the store.
LARGE = 30_000

POLICIES = ("fail", "wait")


@pytest.fixture(scope="module")
def shaky(s3: JobsSettings) -> Iterator[ShakyS3]:
    with ShakyS3(str(s3.s3_endpoint_url)) as shaky:
        yield shaky


@pytest.fixture(scope="module", params=POLICIES)
def stack(
    request: pytest.FixtureRequest, shaky: ShakyS3, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("stack")
    models = folder / "models.toml"
    models.write_text(MODELS)
    env = {
        "WHERRY_STORE_URL": f"s3://wherry/{request.param}",
        "WHERRY_S3_ENDPOINT_URL": shaky.url,
        "WHERRY_S3_REGION": "us-east-1",
        "WHERRY_S3_ACCESS_KEY_ID": "id",
        "WHERRY_S3_SECRET_ACCESS_KEY": "secret",
        "WHERRY_S3_TIMEOUT_S": "1",
        "WHERRY_S3_ATTEMPTS": "3",
        "WHERRY_INLINE_MAX_BYTES": "20000",
        "WHERRY_STORE_FAILURE": request.param,
        "WHERRY_STORE_WAIT_S": "20",
    }
    with (
        RedisServer(folder / "redis") as server,
        Stack(models=models, data_dir=folder, redis_url=server.url, flower=False, env=env) as stack,
    ):
        yield stack


@pytest.fixture
def policy(stack: Stack) -> str:
    return stack.env["WHERRY_STORE_FAILURE"]


@pytest.fixture
def client(stack: Stack, shaky: ShakyS3) -> Iterator[Client]:
    shaky.well()
    with Client(stack.url, patience_s=60) as client:
        yield client
        shaky.well()
        at_rest(client, 30)


@pytest.mark.parametrize(
    "fate", ["slow", "503", "half write", "unheard write", "half read", "hang"]
)
def test_a_fault_that_passes_is_mended_by_trying_again(
    client: Client, shaky: ShakyS3, faults: Ledger, policy: str, fate: Fate, full: bool
) -> None:
    """Two faults in a row on the way to or from the store; the third try goes well."""
    if policy == "wait" and not full:
        pytest.skip("the store's own tries come before any policy")
    methods = ["PUT"] if fate in ("half write", "unheard write") else ["GET", "PUT"]
    methods = ["GET"] if fate == "half read" else methods
    ids, recoveries, hit = [], [], 0
    for turn in range(10 if full else 1):
        for method in methods:
            shaky.hit = 0
            shaky.times(2, fate, method)
            began = time.monotonic()
            mine = [
                client.submit(
                    "embedding", text(n, LARGE), id=f"{policy} {fate} {turn} {method} {n}"
                )
                for n in range(3)
            ]
            for job in mine:
                client.wait(job.id, 60)
                ids.append(job.id)
            recoveries.append(time.monotonic() - began)
            assert shaky.hit == 2
            hit += shaky.hit
    ended = follow(client, ids)
    assert {job.status for job in ended.jobs} == {JobState.SUCCEEDED}
    assert ended.attempts == 1
    faults.record(
        fault=f"S3 {fate}",
        injected=hit,
        jobs=len(ids),
        lost=ended.lost,
        duplicated=ended.duplicated,
        recoveries_s=recoveries,
    )


def test_while_it_is_away_submits_are_refused_whole_and_small_jobs_go_on(
    client: Client, shaky: ShakyS3, stack: Stack
) -> None:
    submitted = at_rest(client)["submitted"]
    shaky.always("503", "PUT")
    with Client(stack.url, patience_s=0.1) as hasty:
        for n in range(3):
            with pytest.raises(StoreUnavailable) as caught:
                hasty.submit("embedding", text(n, LARGE), id=f"refused {n}")
            assert caught.value.retryable
        small = hasty.submit("embedding", text(0))
    assert client.wait(small.id, 10).status is JobState.SUCCEEDED
    assert at_rest(client)["submitted"] == submitted + 1


@pytest.mark.parametrize("fate", ["503", "hang"])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_an_outage_ends_as_the_policy_says(
    client: Client,
    shaky: ShakyS3,
    faults: Ledger,
    full: bool,
    policy: str,
    method: str,
    fate: Fate,
) -> None:
    """The payload cannot be read, or the result not written, for longer than all tries take."""
    if fate == "hang" and not full:
        pytest.skip("in the full form")
    name = f"{policy} {method} {fate}"
    # Small in, large out, where it is the result that must not be written.
    large = {"size": LARGE} if method == "GET" else {"rows": 1000}
    jobs = [text(n, **large) for n in range(3)]
    shaky.always(fate, method)
    ids = [client.submit("embedding", job, id=f"{name} {n}").id for n, job in enumerate(jobs)]
    if policy == "fail":
        ended = [client.wait(job_id, 60) for job_id in ids]
        assert {job.status for job in ended} == {JobState.FAILED}
        for job_id in ids:
            with pytest.raises(StoreUnavailable):
                client.result(job_id)
        shaky.well()
        at_rest(client)
        return
    until(lambda: shaky.hit, lambda hit: hit >= 4, 30)
    assert {client.status(job_id).status for job_id in ids} <= {JobState.RUNNING, JobState.QUEUED}
    hit = shaky.hit
    shaky.well()
    began = time.monotonic()
    ended_well = follow(client, ids)
    faults.record(
        fault=f"S3 away ({fate}), jobs wait",
        injected=hit,
        jobs=len(ids),
        lost=ended_well.lost,
        duplicated=ended_well.duplicated,
        recoveries_s=[time.monotonic() - began],
    )
    assert ended_well.attempts == 1


def test_a_wait_has_its_end(client: Client, shaky: ShakyS3, policy: str, full: bool) -> None:
    if policy != "wait":
        pytest.skip("nothing waits by this policy")
    if not full:
        pytest.skip("takes the policy's 20 s: in the full form")
    job = client.submit("embedding", text(0, LARGE), id="waits too long")
    client.wait(job.id, 10)
    shaky.always("503", "GET")
    job = client.submit("embedding", text(1, LARGE), id="waits too long 2")
    assert client.wait(job.id, 60).status is JobState.FAILED
    with pytest.raises(StoreUnavailable):
        client.result(job.id)


def test_a_worker_that_stops_while_it_waits_gives_its_jobs_back(
    client: Client, shaky: ShakyS3, stack: Stack, policy: str
) -> None:
    if policy != "wait":
        pytest.skip("nothing waits by this policy")
    well = client.submit("embedding", text(1, LARGE), id="before it is away")
    follow(client, [well.id])
    shaky.always("503", "GET")
    job = client.submit("embedding", text(0, LARGE), id="given back")
    until(lambda: shaky.hit, lambda hit: hit >= 4, 30)
    stack.worker("text").signal(15)
    until(lambda: client.status(job.id).status, lambda status: status is JobState.QUEUED, 20)
    shaky.well()
    ended = follow(client, [job.id])
    assert (ended.lost, ended.attempts) == (0, 1), "its attempt was not counted"


def test_a_store_that_fails_at_random_loses_nothing(
    client: Client,
    shaky: ShakyS3,
    faults: Ledger,
    policy: str,
    full: bool,
    chance: random.Random,
) -> None:
    """A fifth of all requests goes wrong in some way. What fails says why, and can be sent anew."""
    count = 300 if full else 30
    kinds: tuple[Fate, ...] = ("slow", "503", "half write", "unheard write", "half read", "hang")

    def rule(method: str, path: str) -> Fate:
        return chance.choice(kinds) if chance.random() < 0.2 else "well"

    shaky.rule = rule
    lost, failed = 0, 0
    for n in range(count):
        client.submit("embedding", text(n, LARGE), id=f"{policy} random {n}")
    for n in range(count):
        job = client.wait(f"{policy} random {n}", 120)
        failed += job.status is JobState.FAILED
        lost += job.error is not None and job.error.type != "store_unavailable"
        if job.status is JobState.SUCCEEDED:
            try:
                client.result(job.id)
            except WherryError:
                lost += 1
    faults.record(
        fault="S3 fails at random", injected=shaky.hit, jobs=count, lost=lost, duplicated=0
    )
    assert policy == "fail" or failed == 0
