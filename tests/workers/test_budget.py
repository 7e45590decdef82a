from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from wherry.jobs import JobsSettings, Queue
from wherry.jobs.fits import Fit
from wherry.tasks.catalog import ModelDeclaration
from wherry.tasks.text.embedding import EmbeddingInput
from wherry.workers.budget import FIRST_PACE, Budgets, ShapeBudget


def budget(declared: int, **more) -> ShapeBudget[int]:
    return ShapeBudget(declared, weigh=lambda row: row, **more)


def full_batches(shared: ShapeBudget[int], count: int, fits: int, weight: int = 1) -> int:
    """Run full batches on a device that bears `fits` rows. Answers how often it could not."""
    failed = 0
    for _ in range(count):
        rows = shared.rows_for(weight.bit_length())
        if rows > fits:
            shared.out_of_memory(weight.bit_length(), rows)
            failed += 1
        else:
            shared.went_well(weight.bit_length(), rows)
    return failed


events = st.lists(st.tuples(st.booleans(), st.integers(0, 12), st.integers(1, 70)), max_size=200)


@given(declared=st.integers(1, 64), events=events)
def test_a_budget_is_never_nothing_and_never_above_the_declared(declared, events):
    shared = budget(declared)
    for fitted, bucket, rows in events:
        (shared.went_well if fitted else shared.out_of_memory)(bucket, rows)
        found = [shared.rows_for(at) for at in range(14)]
        assert all(1 <= rows <= declared for rows in (*found, shared.most))
        assert found == sorted(found, reverse=True), "larger rows fit no more"


@settings(deadline=None, max_examples=40)
@given(declared=st.integers(2, 64), fits=st.integers(1, 64))
def test_it_settles_near_what_fits_and_seldom_asks_for_more(declared, fits):
    shared = budget(declared)
    full_batches(shared, 500, fits)
    settled = shared.rows_for(1)
    assert settled >= min(declared, fits) * 3 // 4, "it came back near to all that fits"
    failed = full_batches(shared, 5_000, fits)
    assert failed <= 8, "each failure makes it wait twice as long"


@settings(deadline=None, max_examples=40)
@given(declared=st.integers(2, 64))
def test_it_recovers_in_full_when_memory_does(declared):
    shared = budget(declared)
    full_batches(shared, 10, fits=1)
    assert shared.rows_for(1) < declared
    full_batches(shared, 25 * FIRST_PACE, fits=declared)
    assert shared.rows_for(1) == shared.most == declared


def test_out_of_memory_halves_and_growth_waits_for_many_full_batches():
    shared = budget(32)
    shared.out_of_memory(3, 32)
    assert shared.rows_for(3) == 16
    for _ in range(FIRST_PACE - 1):
        shared.went_well(3, 16)
        shared.went_well(3, 15)  # not full, so it proves nothing
    assert shared.rows_for(3) == 16
    shared.went_well(3, 16)
    assert shared.rows_for(3) == 20
    shared.out_of_memory(3, 20)
    assert shared.rows_for(3) == 16, "back to what went well"


def test_small_rows_keep_their_budget_when_large_ones_run_out():
    shared = budget(32)
    small, large = 3, 4000
    shared.ran_out([large] * 32)
    assert shared.take([large] * 40, 0) == 16
    assert shared.take([small] * 40, 0) == 32
    assert shared.take([small] * 10 + [large] * 30, 0) == 16, "the largest row decides"
    assert shared.take([small] * 20 + [large] * 20, 0) == 20


def test_a_claim_takes_what_the_lightest_rows_that_come_allow():
    shared = budget(32)
    shared.ran_out([4000] * 32)
    shared.ran([4000] * 16)
    assert shared.most == 16
    shared.ran([3])
    assert shared.most == 32


def test_a_late_word_of_a_larger_batch_shrinks_nothing_twice():
    shared = budget(32)
    shared.out_of_memory(1, 32)
    shared.out_of_memory(1, 32)
    assert shared.rows_for(1) == 16


def test_what_was_learned_is_told_once_a_change():
    told: list[tuple[int, Fit | None]] = []
    shared = budget(4, learned=lambda bucket, fit: told.append((bucket, fit)))
    full_batches(shared, 300, fits=4)
    assert told == []
    shared.out_of_memory(1, 4)
    full_batches(shared, 300, fits=4)
    rows = [fit.rows if fit else None for _, fit in told]
    assert rows == [2, 3, 4, None]


def test_another_worker_on_such_a_device_begins_with_it(redis_url: str):
    jobs = JobsSettings(redis_url=redis_url)
    queue = Queue(redis_url)
    model = ModelDeclaration(name="a.b", task="embedding", backend="stub", max_batch_size=8)
    row = EmbeddingInput(texts=["x" * 100])
    first = Budgets(queue, jobs, "NVIDIA H200, 143771 MiB").open(model)
    first.ran_out([row] * 8)
    assert Budgets(queue, jobs, "NVIDIA H200, 143771 MiB").open(model).take([row] * 8, 0) == 4
    assert Budgets(queue, jobs, "another").open(model).take([row] * 8, 0) == 8
    queue.close()


def test_a_budget_is_learned_though_redis_is_away():
    queue = Queue("redis://127.0.0.1:1/0")
    model = ModelDeclaration(name="m", task="embedding", backend="stub", max_batch_size=8)
    found = Budgets(queue, JobsSettings(), "cpu").open(model)
    found.ran_out([EmbeddingInput(texts=["x"])] * 8)
    assert found.most == 8, "none of the rows that come is known yet"
    assert found.take([EmbeddingInput(texts=["x"])] * 8, 0) == 4
    queue.close()
