"""Which models are held where there is no memory for all, and which make room."""

from __future__ import annotations

import threading

import pytest

from wherry.protocol.errors import ModelFailed
from wherry.tasks.backends.device import Device
from wherry.tasks.catalog import Catalog, ModelDeclaration
from wherry.workers.memory import Memory
from wherry.workers.models import Models

from ..support.waiting import until

SIZE = 1 << 20


def declared(name: str, *, size: int = SIZE, **fields: object) -> ModelDeclaration:
    return ModelDeclaration.model_validate(
        {
            "name": name,
            "task": "embedding",
            "backend": "stub",
            "parameters": {"weighs": size},
            **fields,
        }
    )


def models(*declarations: ModelDeclaration, most: int = 2) -> Models:
    made = Models(Catalog(declarations), {"text"}, Device(), memory=Memory(most * SIZE))
    made.load_all()
    return made


def held(of: Models) -> set[str]:
    return {model.declaration.name for model in of}


def run(of: Models, name: str) -> None:
    of.give_back(of.borrow(name, "1"))


def test_as_many_are_loaded_as_fit_and_the_others_sleep() -> None:
    some = models(*map(declared, "abcd"))
    assert held(some) == {"a", "b"}
    assert some.asleep == {"c/1", "d/1"}
    assert set(some.load_ms) == {"c/1", "d/1"}
    assert set(some.batch_budgets(100)) == {"a/1", "b/1"}  # no job of others is claimed
    assert some.failed == {}
    assert some.notes()["c:1"] == "loaded when a job comes"


def test_the_one_used_least_lately_makes_room() -> None:
    some = models(*map(declared, "abc"))
    run(some, "b")
    run(some, "a")
    some.want("c/1")
    some.load_wanted()
    assert held(some) == {"a", "c"}
    assert sum(model.bytes for model in some) == 2 * SIZE


@pytest.mark.parametrize(
    ("runs", "age_s", "goes"),
    [(0, 9.9, False), (0, 10.0, True), (1, 1.9, False), (1, 2.0, True)],
)
def test_one_that_jobs_waited_for_runs_some_before_it_goes(
    runs: int, age_s: float, goes: bool
) -> None:
    [model] = models(declared("a"))
    memory = Memory(SIZE, clock=lambda: 100 + age_s)
    assert memory.next_to_go([model]) is model  # there was room, and nobody waited
    model.is_awaited, model.loaded_at_s, model.load_s, model.runs = True, 100, 2, runs
    assert (memory.next_to_go([model]) is model) == goes


def test_one_that_runs_is_closed_when_its_batch_has_ended() -> None:
    some = models(*map(declared, "ab"), most=1)
    busy = some.borrow("a", "1")
    some.want("b/1")
    loading = threading.Thread(target=some.load_wanted)
    loading.start()
    until(lambda: held(some) == set())  # no more is claimed for it
    assert not busy.closed.is_set()
    some.give_back(busy)
    loading.join()
    assert busy.closed.is_set()
    assert held(some) == {"b"}


def test_a_pinned_model_never_makes_room_and_is_loaded_first() -> None:
    some = models(declared("a"), declared("b"), declared("p", pinned=True))
    assert held(some) == {"a", "p"}
    run(some, "a")
    some.want("b/1")
    some.load_wanted()
    assert held(some) == {"b", "p"}


def test_a_model_that_can_never_fit_is_refused_with_figures() -> None:
    some = models(declared("p", pinned=True), declared("large", size=2 * SIZE))
    with pytest.raises(ModelFailed, match="it takes 2 MiB of memory, and WHERRY_MAX_MODEL_BYTES"):
        some.get("large", "1")
    assert "allows 2 MiB beside 1 MiB of pinned models" in some.failed["large/1"]
    assert held(some) == {"p"}


def test_a_changed_model_takes_the_place_of_the_one_before_where_there_is_no_room_for_both() -> (
    None
):
    some = models(declared("a"), most=1)
    before = some.get("a", "1")
    some.take(Catalog([declared("a", max_batch_size=2)]))
    assert before.closed.is_set()
    assert [model.declaration.max_batch_size for model in some] == [2]


def test_without_a_bound_all_are_held() -> None:
    some = models(*map(declared, "abcd"), most=0)
    assert held(some) == set("abcd")
