"""Jobs of one batch that have each their own parameters, run by models that can and cannot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from wherry.jobs.group import Group
from wherry.jobs.record import ClaimedJob
from wherry.protocol import codec
from wherry.protocol.errors import RowError
from wherry.tasks.backends.base import Backend
from wherry.tasks.backends.device import Device
from wherry.tasks.base import TaskInput, TaskOutput
from wherry.tasks.catalog import ModelDeclaration
from wherry.tasks.text.generation import Generation
from wherry.tasks.text.text_generation import TextGenerationInput, TextGenerationOutput
from wherry.workers.batch import run_batch
from wherry.workers.budget import declared_budget
from wherry.workers.loaded_model import LoadedModel


class Shouting(Backend):
    """Writes as the first row of a batch asks, as backends of other packages may."""

    def load(self) -> None:
        self.batches: list[int] = []

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        first = batch[0]
        assert isinstance(first, TextGenerationInput)
        self.batches.append(len(batch))
        return [self._answer(row, first.max_new_tokens) for row in batch]

    def _answer(self, row: Any, count: int) -> TaskOutput:
        said = Generation(
            text=row.texts[0] * count, finish_reason="length", prompt_tokens=1, completion_tokens=1
        )
        return TextGenerationOutput(generations=[said])


class Heeding(Shouting):
    """Writes as each row asks."""

    rows_have_own = True

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        self.batches.append(len(batch))
        return [self._answer(row, row.max_new_tokens) for row in batch]  # type: ignore[attr-defined] # its own Input


ASKED = [("a", {"max_new_tokens": 3}), ("b", {"max_new_tokens": 1}), ("c", {"max_new_tokens": 3})]


def job(text: str, parameters: dict[str, Any]) -> tuple[ClaimedJob, bytes]:
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [text]}
    payload = json.dumps({"inputs": [tensor], "parameters": parameters}).encode()
    claimed = ClaimedJob(
        id=text,
        group=Group("text", "m", "1", mixed=True),
        attempt=1,
        rows=1,
        header_length=len(payload),
        payload_key="",
        payload_ref="",
        created_at_ms=0,
    )
    return claimed, payload


def loaded(kind: type[Shouting]) -> tuple[LoadedModel, Shouting]:
    declared = ModelDeclaration(name="m", task="text-generation", backend="stub")
    backend = kind(declared.definition, None, device=Device("cpu"))
    backend.load()
    budget = declared_budget(declared)
    return LoadedModel(declared, declared.definition, backend, budget, frozenset()), backend


def test_a_backend_that_follows_no_form_is_not_given_one() -> None:
    model, backend = loaded(Heeding)
    form: dict[str, Any] = {"structured_outputs": {"choice": ["x"]}}
    asked = [ASKED[0], ("d", form), ASKED[1]]
    jobs, payloads = zip(*(job(*each) for each in asked), strict=True)
    good, formed, other = run_batch(model, jobs, payloads).answers
    assert isinstance(formed.error, RowError)
    assert formed.error.message.startswith("structured_outputs: ")
    assert (good.error, other.error) == (None, None)
    assert backend.batches == [2]


@pytest.mark.parametrize(("kind", "batches"), [(Shouting, [2, 1]), (Heeding, [3])])
def test_each_job_is_answered_by_its_own_parameters(
    kind: type[Shouting], batches: list[int]
) -> None:
    model, backend = loaded(kind)
    jobs, payloads = zip(*(job(*asked) for asked in ASKED), strict=True)
    result = run_batch(model, jobs, payloads)
    said = [codec.decode_response(each.body, each.header_length) for each in result.answers]
    assert [response.output("text").texts() for response in said] == [["aaa"], ["b"], ["ccc"]]
    assert backend.batches == batches
    assert result.sizes == tuple(batches), "statistics count what was run"
