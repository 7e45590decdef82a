from __future__ import annotations

from pathlib import Path

import pytest

from wherry.jobs.claim import BatchBudget
from wherry.tasks.backends.company import Company
from wherry.tasks.backends.device import Device
from wherry.tasks.catalog import Catalog, ModelDeclaration
from wherry.workers.models import Models


def declared(name: str, **fields: object) -> ModelDeclaration:
    return ModelDeclaration.model_validate(
        {"name": name, "task": "embedding", "backend": "stub", "max_batch_size": 8, **fields}
    )


def test_budgets_are_made_anew_when_what_fits_or_what_is_loaded_has_changed() -> None:
    patient = declared("b", preferred_batch_size=[4, 16], max_queue_delay_microseconds=3000)
    models = Models(Catalog([declared("a"), patient]), {"text"}, Device())
    assert models.batch_budgets(100) == {}
    models.get("a", "1")
    first = BatchBudget(max_rows=8, max_bytes=100, preferred_rows=8)
    assert models.batch_budgets(100) == {"a/1": first}
    models.load_all()
    both = {"a/1": first, "b/1": BatchBudget(8, 100, preferred_rows=8, max_delay_ms=3)}
    assert models.batch_budgets(100) == both
    assert models.batch_budgets(100) is models.batch_budgets(100)
    shown = models.get("a", "1")
    rows = [shown.backend.example()] * 8
    shown.budget.ran_out(rows)
    shown.budget.ran(rows[:4])
    assert models.batch_budgets(100) == {**both, "a/1": BatchBudget(4, 100, preferred_rows=4)}
    models.close()


def test_what_a_model_needs_is_noted() -> None:
    models = Models(Catalog([declared("a"), declared("b", version="2")]), {"text"}, Device())
    models.load_all()
    assert models.notes() == {}
    models.get("b", "2").backend.company = Company("one-by-one")
    assert models.notes() == {"b:2": "each row has a forward of its own"}
    models.close()


def test_a_changed_declaration_is_loaded_and_the_old_one_closed_when_nobody_runs_on_it() -> None:
    models = Models(Catalog([declared("a")]), {"text"}, Device())
    models.load_all()
    old = models.borrow("a", "1")
    closed: list[str] = []
    old.backend.close = lambda: closed.append("old")  # type: ignore[method-assign] # to see it
    models.take(Catalog([declared("a", max_batch_size=2)]))
    assert models.get("a", "1") is not old
    assert models.batch_budgets(100)["a/1"].max_rows == 2
    assert closed == []  # a batch runs on it
    models.give_back(old)
    assert closed == ["old"]
    new = models.get("a", "1")
    models.take(Catalog([declared("a", max_batch_size=2)]))
    assert models.get("a", "1") is new  # nothing has changed
    models.close()


def test_a_model_is_loaded_anew_when_its_files_have_changed(tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("a")
    catalog = Catalog([declared("a", source=str(tmp_path))])
    models = Models(catalog, {"text"}, Device())
    models.load_all()
    old = models.get("a", "1")
    models.take(catalog)
    assert models.get("a", "1") is old
    (tmp_path / "weights").write_text("other")
    models.take(catalog)
    assert models.get("a", "1") is not old
    models.close()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"parameters": {"no": 1}}, "takes no 'no'"), ({"task": "ranking"}, "its task was embedding")],
)
def test_what_cannot_be_loaded_leaves_the_one_before(
    fields: dict[str, object], reason: str
) -> None:
    models = Models(Catalog([declared("a")]), {"text"}, Device())
    models.load_all()
    old = models.get("a", "1")
    models.take(Catalog([declared("a", **fields)]))
    assert models.get("a", "1") is old
    assert models.failed == {}
    assert reason in models.outdated["a/1"]
    assert "served as it was" in models.notes()["a:1"]
    models.take(Catalog([declared("a")]))
    assert models.outdated == {}
    models.close()


def test_a_model_that_is_put_away_is_loaded_again_for_a_job_that_still_comes() -> None:
    models = Models(Catalog([declared("a"), declared("b")]), {"text"}, Device())
    models.load_all()
    models.take(Catalog([declared("b")]))
    assert models.leaving == {"a/1"}
    models.put_away({"a/1"})
    assert [model.group_model_id for model in models] == ["b/1"]
    assert set(models.batch_budgets(100)) == {"b/1"}
    assert models.loading == []
    models.want("a/1")
    models.load_wanted()
    assert set(models.batch_budgets(100)) == {"a/1", "b/1"}
    assert models.asleep == set()
    models.take(Catalog([declared("a"), declared("b")]))
    assert models.leaving == set()
    models.close()
