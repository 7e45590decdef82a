"""The line to Redis breaks between any two steps of a job: nothing lost, nothing seen twice."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from wherry.client import Client
from wherry.jobs.orphans import References, references
from wherry.jobs.settings import JobsSettings
from wherry.ops.redis_server import RedisServer
from wherry.ops.stack import Stack
from wherry.tasks.text.generation import GenerationOutput
from wherry.tasks.text.text_generation import TextGenerationInput

from ..support.models import model
from ..support.waiting import until
from .flock import at_rest, follow, text
from .ledger import Ledger
from .wire import Command, Place, Wire, named, runs

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

LEASE_S = 3

MODELS = model("embedding", max_batch_size=8, delay_s=0.02) + model(
    "writer", "text-generation", words=60000
)

#: What a worker and the API ask of Redis for one job, in order. A payload of some size is sent
#: ahead of its submit; a claim's payloads are fetched in a step of their own.
STEPS: dict[str, Callable[[Command], bool]] = {
    "SET of a payload": named("SET"),
    "submit": runs("submit"),
    "claim": runs("claim"),
    "MGET of payloads": named("MGET"),
    "finish": runs("finish"),
    "read": runs("read"),
    "heartbeat": runs("heartbeat"),
}

#: Bytes of inputs: in the script's arguments, sent ahead, and in the blob store (with its result).
SIZES = (0, 80_000, 300_000)


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server, Wire(server.port) as wire:
        yield wire


@pytest.fixture(scope="module")
def stack(wire: Wire, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("stack")
    models = folder / "models.toml"
    models.write_text(MODELS)
    env = {"WHERRY_LEASE_TTL_S": str(LEASE_S), "WHERRY_INLINE_MAX_BYTES": "200000"}
    with Stack(
        models=models,
        data_dir=folder,
        redis_url=wire.url,
        workers_per_family=2,
        flower=False,
        env=env,
    ) as stack:
        yield stack


@pytest.fixture
def client(stack: Stack, wire: Wire) -> Iterator[Client]:
    with Client(stack.url, patience_s=60) as client:
        at_rest(client, 30)
        yield client
        wire.reset()


@pytest.mark.parametrize("place", [Place.BEFORE, Place.AFTER, Place.MIDDLE])
@pytest.mark.parametrize("step", STEPS)
def test_a_cut_loses_and_repeats_nothing(
    client: Client, wire: Wire, faults: Ledger, full: bool, step: str, place: Place
) -> None:
    rounds, recoveries, ids = 4 if full else 1, [], []
    for turn in range(rounds):
        times = _breaks(turn, place, full=full)
        broken = wire.break_at(STEPS[step], place, times=times)
        began = time.monotonic()
        mine = [
            client.submit(
                "embedding", text(n, size), id=f"{step} {place.name} {turn} {n} {size}"
            ).id
            for n in range(3)
            for size in SIZES
        ]
        ended = follow(client, mine)
        recoveries.append(time.monotonic() - began)
        assert broken.wait(30), f"{step} was never on the line"
        wire.reset()
        ids += mine
    ended = follow(client, ids)
    at_rest(client, 3 * LEASE_S)  # no claim is orphaned for longer than its lease and a beat
    faults.record(
        fault="line cut in a job's step",
        injected=sum(_breaks(turn, place, full=full) for turn in range(rounds)),
        jobs=len(ids),
        lost=ended.lost,
        duplicated=ended.duplicated,
        recoveries_s=recoveries,
    )


def _breaks(turn: int, place: Place, *, full: bool) -> int:
    """Redis-py tries a broken call anew by itself: one break is mended there, five are not."""
    return 5 if (turn % 2 == 0 if full else place is Place.AFTER) else 1


def test_cuts_at_random_lose_nothing(
    client: Client, wire: Wire, faults: Ledger, full: bool, chance: random.Random
) -> None:
    cuts, ids = 200 if full else 20, []
    for turn in range(cuts):
        for n in range(chance.randrange(1, 5)):
            size = chance.choice(SIZES)
            ids.append(client.submit("embedding", text(n, size), id=f"any {turn} {n}").id)
        time.sleep(chance.uniform(0, 0.1))
        wire.cut_all()
    began = time.monotonic()
    ended = follow(client, ids)
    recovery_s = time.monotonic() - began
    at_rest(client, 3 * LEASE_S)
    faults.record(
        fault="all lines cut at once",
        injected=cuts,
        jobs=len(ids),
        lost=ended.lost,
        duplicated=ended.duplicated,
        recoveries_s=[recovery_s],
    )


def test_a_claim_whose_reply_is_lost_is_given_back_within_the_lease(
    client: Client, wire: Wire
) -> None:
    for turn in range(3):
        lost = wire.break_at(runs("claim"), Place.AFTER)
        job = client.submit("embedding", text(0), id=f"claimed {turn}")
        assert lost.wait(10)
        began = time.monotonic()
        ended = client.wait(job.id, 30)
        assert time.monotonic() - began < LEASE_S + 0.5
        assert ended.attempt == 1, "it was never begun, so its attempt does not count"


def test_a_large_result_whose_acceptance_was_not_heard_can_be_read(
    client: Client, wire: Wire
) -> None:
    """The second finish comes too late for the first: it must not take the first's blob along."""
    wire.break_at(runs("finish"), Place.AFTER, times=5)
    job = client.submit("writer", TextGenerationInput(texts=["at length"]), id="at length")
    answer = client.result(job.id, 30)
    assert isinstance(answer, GenerationOutput)
    assert len(answer.generations[0].text) > 200_000, "the store has it"


def test_a_submit_whose_reply_was_lost_keeps_its_blob(
    client: Client, wire: Wire, stack: Stack
) -> None:
    """Redis-py sends it again, and the job is known by then: its payload is not a second one."""
    lost = wire.break_at(runs("submit"), Place.AFTER)
    cut = wire.rule
    # No worker may read the blob before the API could have removed it.
    wire.rule = lambda command: Place.BEFORE if runs("claim")(command) else cut(command)
    job = client.submit("embedding", text(0, 300_000), id="kept")
    assert lost.is_set()
    wire.reset()
    assert follow(client, [job.id]).lost == 0


def test_a_second_submit_leaves_no_second_blob(client: Client, stack: Stack) -> None:
    for _ in range(3):
        client.submit("embedding", text(1, 300_000), id="thrice")
    follow(client, ["thrice"])
    settings = JobsSettings(redis_url=stack.redis_url)

    def left() -> list[Path]:
        return [p for p in stack.data_dir.rglob("*thrice*") if "payload" in p.name]

    until(left, lambda found: not found)
    with redis.Redis.from_url(stack.redis_url) as connection:
        fields = connection.hmget(f"{settings.key_prefix}:job:thrice", "status")
    assert fields == [b"succeeded"]
    assert isinstance(references("thrice", settings).parse([b"queued", b"", b"", b""]), References)
