"""SmolLM2 135M Instruct, an eighth of a billion parameters, knows a few things for certain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from wherry.protocol.errors import RowError
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.text.summarization import SummarizationInput, SummarizationOutput

from ..writing import texts, written

Load = Callable[[str], Any]

FRANCE = [{"role": "user", "content": "What is the capital of France?"}]
ITALY = [
    {"role": "user", "content": "What is the capital of Italy?"},
    {"role": "assistant", "content": "The capital of Italy is"},
]
ADA = [
    {"role": "user", "content": "My name is Ada."},
    {"role": "assistant", "content": "Nice to meet you, Ada!"},
    {"role": "user", "content": "What is my name?"},
]

BRIDGE = (
    "The committee met on Monday and agreed to build a new bridge over the river, because the old "
    "bridge is unsafe. Work will begin in spring and cost four million euros. Until the new bridge "
    "opens, drivers have to take the ferry."
)
BEES = (
    "Honey bees live in large colonies with one queen. Worker bees gather nectar from flowers and "
    "turn it into honey, which feeds the colony during the winter when nothing blooms."
)


@pytest.fixture(scope="module")
def load(packaged_model: Callable[[str], Path]) -> Load:
    folder = str(packaged_model("smollm2-135m-instruct"))

    @contextmanager
    def loaded(task: str) -> Iterator[LocalTask]:
        with create_task("transformers", task, folder, {"threads": 1}) as made:
            yield made

    return loaded


@pytest.fixture(scope="module")
def chat(load: Load) -> Iterator[LocalTask]:
    with load("chat") as made:
        yield made


@pytest.fixture(scope="module")
def summarization(load: Load) -> Iterator[LocalTask]:
    with load("summarization") as made:
        yield made


@pytest.mark.slow  # the contract holds it of the tiny one
def test_conversations_of_a_batch_are_answered_as_each_alone(chat: LocalTask) -> None:
    conversations = [FRANCE, ITALY, ADA]
    together = texts(chat, messages=conversations, max_new_tokens=12)
    alone = [texts(chat, messages=[one], max_new_tokens=12)[0] for one in conversations]
    assert together == alone
    for text, known in zip(together, ("Paris", "Rome", "Ada"), strict=True):
        assert known in text


def test_an_answer_ends_by_itself(chat: LocalTask) -> None:
    (row,) = written(chat, messages=[FRANCE], max_new_tokens=24)
    assert row.text.endswith("Paris.")
    assert row.finish_reason == "stop"
    assert row.completion_tokens < 24
    assert "<|im_end|>" not in row.text


def test_an_answer_ends_where_no_tokens_are_left(chat: LocalTask) -> None:
    (row,) = written(chat, messages=[FRANCE], max_new_tokens=3)
    assert (row.finish_reason, row.completion_tokens) == ("length", 3)
    assert "Paris" not in row.text


def test_a_stop_string_ends_an_answer_and_is_left_out(chat: LocalTask) -> None:
    (row,) = written(chat, messages=[FRANCE], max_new_tokens=24, stop=[" Paris"])
    assert row.finish_reason == "stop"
    assert row.text.endswith(" is")


@pytest.mark.slow
def test_a_seed_repeats_what_is_drawn(chat: LocalTask) -> None:
    def drawn(seed: int) -> str:
        (text,) = texts(
            chat, messages=[FRANCE], max_new_tokens=5, do_sample=True, temperature=1.5, seed=seed
        )
        return text

    first = drawn(1)
    assert first == drawn(1)
    assert first != drawn(2)


@pytest.mark.slow
def test_well_known_phrases_are_completed(load: Load) -> None:
    prompts = {
        "The capital of France is": " Paris",
        "To be, or not to be, that is the": " question",
        "Monday, Tuesday, Wednesday, Thursday,": " Friday",
        "1, 2, 3, 4, 5,": " 6",
    }
    with load("text-generation") as task:
        completed = texts(task, texts=list(prompts), max_new_tokens=3)
        for text, expected in zip(completed, prompts.values(), strict=True):
            assert text.startswith(expected)


@pytest.mark.slow
def test_a_summary_is_shorter_and_names_the_subject(summarization: LocalTask) -> None:
    bridge, bees = texts(summarization, texts=[BRIDGE, BEES], max_new_tokens=48)
    assert "bridge" in bridge.lower()
    assert "bees" in bees.lower()
    assert 0 < len(bridge) < 0.8 * len(BRIDGE)
    assert 0 < len(bees) < 0.8 * len(BEES)


def test_a_long_text_is_cut_only_if_that_is_wished_for(
    summarization: LocalTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend: Any = summarization.backend
    monkeypatch.setattr(backend.model.config, "max_position_embeddings", 96)
    fields = {"texts": [BRIDGE * 3], "max_new_tokens": 8}
    (refused,) = backend.run(SummarizationInput.validated(fields).rows())
    assert isinstance(refused, RowError)
    assert "takes 95 at most" in refused.message
    (cut,) = backend.run(SummarizationInput.validated({**fields, "truncate": True}).rows())
    assert isinstance(cut, SummarizationOutput)
    (row,) = cut.generations
    # Room for the answer is kept, and the template's end is not what was cut.
    assert 80 < row.prompt_tokens <= 96 - 8
    assert "committee" in row.text


@pytest.mark.slow
def test_a_text_that_asks_is_answered(load: Load) -> None:
    with load("text2text-generation") as task:
        (text,) = texts(task, texts=["What is the capital of France?"], max_new_tokens=12)
    assert "Paris" in text


def test_a_model_that_cannot_be_asked_is_refused(tiny_model: Callable[[str], Path]) -> None:
    with pytest.raises(ValueError, match="neither an encoder nor a chat template"):
        create_task("transformers", "summarization", str(tiny_model("text-generation-gpt2")))
