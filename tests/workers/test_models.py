from __future__ import annotations

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
