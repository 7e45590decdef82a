"""Series that go on, against the documented calls of transformers' models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf

from wherry.protocol.errors import RowError
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.base import TaskOutput
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.multimodal.time_series_forecasting import (
    TimeSeriesForecastingInput,
    TimeSeriesForecastingOutput,
)

Models = Callable[[str], Path]

NAME = "time-series-forecasting"
TOLERANCE = 1e-4

#: Of several lengths, and signs.
SERIES = (
    [float(step % 7) for step in range(50)],
    [0.5, 1.0, 0.25],
    [float(step % 5 - 3) for step in range(32)],
    [0.01],
    [1000.0 + step for step in range(33)],
)


def load(folder: Path) -> LocalTask:
    return create_task("transformers", NAME, str(folder))


def run(task: LocalTask, **fields: Any) -> list[TaskOutput | RowError]:
    return task.backend.run(TimeSeriesForecastingInput.validated(fields).rows())


def alike(answer: object, means: torch.Tensor, quantiles: torch.Tensor | None = None) -> None:
    """Check an answer against one row's of the documented call."""
    assert isinstance(answer, TimeSeriesForecastingOutput), answer
    assert answer.means[0] == pytest.approx(means.tolist(), abs=TOLERANCE, rel=TOLERANCE)
    if quantiles is None:
        assert answer.quantiles == [[]]
        assert answer.levels == [[]]
        return
    assert answer.levels[0] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    own = torch.tensor(answer.quantiles[0])
    assert torch.allclose(own, quantiles, atol=TOLERANCE, rtol=TOLERANCE)


@pytest.mark.parametrize("name", [NAME, f"{NAME}-timesfm2_5"])
def test_times_fm_in_a_batch_answers_as_its_documented_call_of_one_series(
    name: str, tiny_model: Models
) -> None:
    folder = tiny_model(name)
    model: Any = hf.AutoModelForTimeSeriesPrediction.from_pretrained(folder)
    answers = run(load(folder), past_values=list(SERIES))
    for answer, series in zip(answers, SERIES, strict=True):
        with torch.inference_mode():
            out = model(past_values=[torch.tensor(series)])
        alike(answer, out.mean_predictions[0], out.full_predictions[0, :, 1:])
    assert any(min(answer.means[0]) == 0 for answer in answers) == (name != NAME)  # type: ignore[union-attr] # none fails


def test_frequencies_are_each_rows_own(tiny_model: Models) -> None:
    folder = tiny_model(NAME)
    model: Any = hf.AutoModelForTimeSeriesPrediction.from_pretrained(folder)
    series = [SERIES[0]] * 3
    answers = run(load(folder), past_values=series, frequencies=[0, 1, 2])
    for frequency, answer in enumerate(answers):
        with torch.inference_mode():
            out = model(past_values=[torch.tensor(SERIES[0])], freq=[frequency])
        alike(answer, out.mean_predictions[0], out.full_predictions[0, :, 1:])
    assert answers[0] != answers[1] != answers[2]


@pytest.mark.parametrize("kind", ["PatchTST", "PatchTSMixer"])
def test_patches_answer_as_their_documented_call(kind: str, tiny_model: Models) -> None:
    folder = tiny_model(f"{NAME}-{kind.lower()}")
    model: Any = getattr(hf, f"{kind}ForPrediction").from_pretrained(folder)
    answers = run(load(folder), past_values=list(SERIES))
    for answer, series in zip(answers, SERIES, strict=True):
        if len(series) < 32:
            assert isinstance(answer, RowError)
            assert f"{len(series)} values; this model needs 32" in answer.message
            continue
        with torch.inference_mode():
            out = model(past_values=torch.tensor(series[-32:]).reshape(1, 32, 1))
        alike(answer, out.prediction_outputs[0, :, 0])
    assert isinstance(answers[0], TaskOutput)
    assert answers[0].warning == "of 50 past values the model looks at the last 32"


def test_lengths_and_quantiles_are_the_models_or_refused(tiny_model: Models) -> None:
    task = load(tiny_model(NAME))
    past = [list(SERIES[0])]
    (whole,) = run(task, past_values=past)
    (some,) = run(task, past_values=past, prediction_length=3, quantile_levels=[0.9, 0.1])
    assert isinstance(whole, TimeSeriesForecastingOutput)
    assert isinstance(some, TimeSeriesForecastingOutput)
    assert some.means == [whole.means[0][:3]]
    assert some.quantiles == [[[row[8], row[0]] for row in whole.quantiles[0][:3]]]
    assert some.levels == [[0.9, 0.1]]
    for fields, says in (
        ({"prediction_length": 17}, "prediction_length: 17; this model forecasts 16"),
        ({"quantile_levels": [0.95]}, "quantile_levels: 0.95; this model has 0.1, 0.2"),
    ):
        (refused,) = run(task, past_values=past, **fields)
        assert isinstance(refused, RowError)
        assert says in refused.message
    (refused,) = run(load(tiny_model(f"{NAME}-timesfm2_5")), past_values=past, frequencies=[1])
    assert isinstance(refused, RowError)
    assert "freq: a timesfm2_5 takes none" in refused.message


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (
            hf.InformerConfig(prediction_length=4),
            "informer wants past and future time",
        ),
        (hf.PatchTSTConfig(num_input_channels=7), "reads 7 channels together"),
        (hf.PatchTSMixerConfig(num_input_channels=1, loss="nll"), "answers a distribution"),
        (hf.BertConfig(), "type bert does not do this task"),
    ],
)
def test_what_needs_more_than_values_is_refused(config: Any, says: str, tmp_path: Path) -> None:
    config.save_pretrained(tmp_path)
    with pytest.raises(ModelRefused, match=says):
        load(tmp_path)
