"""Which jobs may share a batch though they ask for different things, and as long as whom."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wherry.api.core.envelope import Envelope
from wherry.api.core.intake import Intake
from wherry.api.core.live_models import mixing
from wherry.api.egress.named_files import NO_FILES
from wherry.api.egress.outbound import Outbound
from wherry.api.settings import ApiSettings
from wherry.jobs import Group
from wherry.jobs.fleet import FleetView
from wherry.jobs.fleet_views import WorkerView
from wherry.protocol import v2
from wherry.tasks.catalog import ModelDeclaration
from wherry.tasks.models_file import load_catalog

GPT = ModelDeclaration(name="text-generation", task="text-generation", backend="stub")
SERVES = {"served": ["text-generation/1"]}

Make = Callable[[bool], Intake]


@pytest.fixture
def make_intake(models_file: Path) -> Make:
    api = ApiSettings(models=models_file)
    return lambda mixed: Intake(load_catalog(models_file), api, Outbound(api), lambda _: mixed)


def group_of(intake: Intake, model: str = "text-generation", **parameters: Any) -> Group:
    text = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}
    request = v2.InferenceRequest.parse({"inputs": [text], "parameters": parameters})
    checked = intake.check(request, model, None, NO_FILES)
    return intake.prepare(checked, Envelope()).job.group


@pytest.mark.parametrize(
    "other",
    [
        {"max_new_tokens": 100},
        {"do_sample": True, "temperature": 0.3, "top_p": 0.5, "top_k": 3},
        {"repetition_penalty": 1.3, "stop": ["."], "logprobs": 2},
    ],
)
def test_jobs_that_ask_for_different_texts_share_a_group(
    make_intake: Make, other: dict[str, Any]
) -> None:
    mixed, apart = make_intake(True), make_intake(False)
    assert group_of(mixed) == group_of(mixed, **other)
    assert group_of(apart) != group_of(apart, **other)


@pytest.mark.parametrize("other", [{"num_beams": 2}, {"max_new_tokens": 64}])
def test_what_forbids_one_forward_or_a_common_end_keeps_jobs_apart(
    make_intake: Make, other: dict[str, Any]
) -> None:
    assert group_of(make_intake(True)) != group_of(make_intake(True), **other)


def test_jobs_of_other_tasks_are_of_the_group_that_they_were(make_intake: Make) -> None:
    kept = [group_of(make_intake(mixed), "embedding") for mixed in (True, False)]
    assert kept[0] == kept[1]
    assert not kept[0].mixed


def fleet_of(*workers: dict[str, Any]) -> FleetView:
    return FleetView(
        workers=tuple(
            WorkerView(str(number), alive=info.get("alive", True), running=0, info=info)
            for number, info in enumerate(workers)
        ),
        totals={},
        unloaded=frozenset(),
        failed={},
        load_requests={},
        now_ms=0,
    )


@pytest.mark.parametrize(
    ("workers", "mixes"),
    [
        ([{**SERVES, "mixes": True}], True),
        ([SERVES], False),
        ([{**SERVES, "mixes": True}, SERVES], False),
        ([{**SERVES, "mixes": True}, {**SERVES, "alive": False}], True),
        ([{**SERVES, "mixes": True}, {"models": ["text-generation"]}], False),
        ([{**SERVES, "mixes": True}, {"served": ["embedding/1"]}], True),
    ],
)
def test_a_model_is_mixed_once_all_its_workers_can(
    workers: list[dict[str, Any]], mixes: bool
) -> None:
    found = {"text-generation/1"} if mixes else set()
    for before in (frozenset({"text-generation/1"}), frozenset[str]()):
        assert mixing([GPT], fleet_of(*workers), before) == found


def test_a_model_that_no_worker_serves_stays_as_it_was() -> None:
    for before in (frozenset({"text-generation/1"}), frozenset[str]()):
        assert mixing([GPT], fleet_of(), before) == before
