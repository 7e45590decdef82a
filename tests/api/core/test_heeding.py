"""Parameters that a worker of an older version would leave out, while one serves a model."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import to_json

from wherry.api.core.envelope import Envelope
from wherry.api.core.intake import Intake
from wherry.api.core.new_job import PreparedJob
from wherry.api.egress.outbound import Outbound
from wherry.api.settings import ApiSettings
from wherry.jobs.fleet_views import WorkerView
from wherry.jobs.heeding import SAID, unheeded
from wherry.protocol.errors import ModelNotReady
from wherry.tasks.models_file import load_catalog
from wherry.tasks.text.text_generation import TextGenerationInput
from wherry.workers.known_models import KnownModels

MODEL = "text-generation/1"
NAMES = TextGenerationInput.parameter_names()
OLD: dict[str, Any] = {"served": [MODEL]}
NEW: dict[str, Any] = {**OLD, SAID: {"text-generation": [*NAMES]}}


def found(*workers: dict[str, Any]) -> frozenset[str]:
    views = [
        WorkerView(str(number), alive=info.get("alive", True), running=0, info=info)
        for number, info in enumerate(workers)
    ]
    return unheeded(MODEL, "text-generation", NAMES, views)


def test_workers_of_this_version_heed_all() -> None:
    assert not found()
    assert not found(NEW, NEW)


def test_a_worker_that_says_nothing_leaves_out_what_is_newer() -> None:
    missed = found(NEW, OLD)
    assert {"structured_outputs", "logit_bias", "min_new_tokens"} <= missed
    assert not missed & {"max_new_tokens", "temperature", "stop", "num_beams", "seed", "logprobs"}


@pytest.mark.parametrize(
    "other",
    [{**OLD, "alive": False}, {"served": ["embedding/1"]}, {"served": ["text-generation/2"]}],
)
def test_who_does_not_serve_the_model_is_not_asked(other: dict[str, Any]) -> None:
    assert not found(NEW, other)


def test_a_parameter_that_comes_later_is_missed_where_it_is_not_said() -> None:
    before = {**OLD, SAID: {"text-generation": [n for n in NAMES if n != "seed"]}}
    assert found(NEW, before) == {"seed"}
    assert not found({**OLD, SAID: {"text-generation": [*NAMES]}})


def test_workers_say_what_the_tasks_that_write_take(models_file: Path) -> None:
    catalog = load_catalog(models_file)
    memory: Any = None  # nothing is loaded
    known = KnownModels(catalog, {model.family for model in catalog.models}, memory)
    told = known.parameters(known.known)
    assert set(told["text-generation"]) == set(NAMES)
    assert "embedding" not in told


@pytest.fixture
def intake(models_file: Path) -> Intake:
    api = ApiSettings(models=models_file)
    missed = found(OLD)
    return Intake(load_catalog(models_file), api, Outbound(api), unheeded=lambda _: missed)


def read(intake: Intake, **parameters: Any) -> PreparedJob:
    text = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}
    body = to_json({"inputs": [text], "parameters": parameters})
    return asyncio.run(intake.read(body, None, "text-generation", None, Envelope()))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("structured_outputs", {"choice": ["a"]}),
        ("logit_bias", {"3": 1.0}),
        ("presence_penalty", 0.5),
        ("min_new_tokens", 4),
    ],
)
def test_what_would_be_left_out_is_refused_for_now(intake: Intake, name: str, value: Any) -> None:
    with pytest.raises(ModelNotReady, match=f"^{name}: a worker of an older version"):
        read(intake, **{name: value})


def test_jobs_of_known_parameters_go_on_meanwhile(intake: Intake) -> None:
    read(intake, max_new_tokens=9, temperature=0.5, do_sample=True, seed=3)
    read(intake)
