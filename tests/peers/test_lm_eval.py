"""The real lm-eval: a model scored through `/v1/completions` as by its own backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from wherry.ops.stack import Stack
from wherry.samples.models import write_samples
from wherry.tasks.models_file import load_catalog

from .conftest import Environment

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]

PACKAGE = "lm_eval==0.4.13"
OWN = "hf"
WAYS = [
    "local-completions, texts",
    "local-completions, token numbers",
    "local-completions, token numbers in batches, several at once",
]

Saw = dict[str, Any]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A stack with one tiny decoder, of random weights; and the decoder's folder."""
    folder = tmp_path_factory.mktemp("lm-eval-stack")
    models = write_samples(folder / "samples", ["text-generation"], generators=False)
    source = load_catalog(models).get("text-generation").source
    assert source
    with Stack(models=models, data_dir=folder, flower=False, grpc_port=0) as running:
        yield running.url, source


@pytest.fixture(scope="module")
def seen(
    environment: Environment,
    drive: Callable[..., list[Saw]],
    stack: tuple[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Saw]:
    extras = PACKAGE.replace("lm_eval", "lm_eval[api,hf]")
    # The model's scores are torch's: another version would be another measure.
    python = environment("lm-eval", extras, same=("torch", "transformers"))
    lines = drive(python, "lm_eval_client.py", *stack, tmp_path_factory.mktemp("lm-eval"))
    return {line["call"]: line for line in lines}


@pytest.mark.parametrize("way", [pytest.param(w, marks=pytest.mark.call(PACKAGE, w)) for w in WAYS])
def test_the_scores_are_those_of_its_own_backend(way: str, seen: dict[str, Saw]) -> None:
    assert not seen[OWN]["failed"]
    assert not seen[way]["failed"]
    own, ours = seen[OWN]["saw"], seen[way]["saw"]
    for task, metrics in own["results"].items():
        assert ours["results"][task] == pytest.approx(metrics, rel=1e-3, abs=1e-3), task
    for task, rows in own["requests"].items():
        mine, theirs = _flat(ours["requests"][task]), _flat(rows)
        assert mine == [v if isinstance(v, str) else pytest.approx(v, abs=1e-3) for v in theirs]


def test_the_choices_are_told_apart(seen: dict[str, Saw]) -> None:
    scores = _flat(seen[OWN]["saw"]["requests"]["wherry_choice"])
    assert len({score for score in scores if score != 0}) > len(scores) / 3


def _flat(value: Any) -> list[Any]:
    """Logprobs, whether each is the greedy choice, and texts, out of however many lists."""
    if isinstance(value, list):
        return [entry for part in value for entry in _flat(part)]
    return [value]
