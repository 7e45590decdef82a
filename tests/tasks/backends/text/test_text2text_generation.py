"""Text to text, and summaries, against the model's own generate, text by text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from wherry.tasks.create import LocalTask, create_task

from ..writing import PROMPTS, own_text, own_tokens, texts, written


@pytest.fixture
def task(tiny_model: Callable[[str], Path]) -> Iterator[LocalTask]:
    folder = tiny_model("text2text-generation")
    with create_task("transformers", "text2text-generation", str(folder)) as made:
        yield made


@pytest.fixture
def summarizer(tiny_model: Callable[[str], Path]) -> Iterator[LocalTask]:
    with create_task("transformers", "summarization", str(tiny_model("summarization"))) as made:
        yield made


@pytest.mark.parametrize("beams", [1, 3])
def test_a_batch_says_what_the_model_says_to_each(task: LocalTask, beams: int) -> None:
    together = texts(task, texts=PROMPTS, max_new_tokens=10, num_beams=beams)
    assert together == [own_text(task, text, 10, num_beams=beams) for text in PROMPTS]
    assert len(set(together)) == len(PROMPTS)


def test_rows_end_where_the_model_ends_them(task: LocalTask) -> None:
    model: Any = task.backend.model  # type: ignore[attr-defined] # transformers' backends have one
    made = own_tokens(task, PROMPTS[1], 10)
    model.generation_config.eos_token_id = made[4]
    rows = written(task, texts=PROMPTS, max_new_tokens=10)
    assert (rows[1].finish_reason, rows[1].completion_tokens) == ("stop", made.index(made[4]) + 1)
    assert {row.finish_reason for row in rows} == {"stop", "length"}
    assert rows == [written(task, texts=[text], max_new_tokens=10)[0] for text in PROMPTS]


def test_a_stop_string_ends_a_text(task: LocalTask) -> None:
    whole = own_text(task, PROMPTS[1], 10)
    rows = written(task, texts=PROMPTS, max_new_tokens=10, stop=[whole[3]])
    assert rows[1].text == whole[: whole.index(whole[3])]
    assert rows[1].finish_reason == "stop"
    assert rows[1].completion_tokens < 10


def test_a_text_is_cut_only_when_wished(task: LocalTask) -> None:
    long = "the quick brown fox " * 30
    whole, short = written(task, texts=[long, PROMPTS[0]], max_new_tokens=5)
    assert whole.prompt_tokens > 100  # T5 has no last position
    assert whole.text == own_text(task, long, 5)
    cut, same = written(task, texts=[long, PROMPTS[0]], max_new_tokens=5, truncate=True)
    assert cut.prompt_tokens == 64  # the tokenizer's limit
    assert same == short


def test_summaries_are_made_as_the_model_wants_them(summarizer: LocalTask) -> None:
    """Behind T5's prefix and with two beams, as the tiny model's config says."""
    together = texts(summarizer, texts=PROMPTS, max_new_tokens=10)
    own = [own_text(summarizer, "summarize: " + text, 10, num_beams=2) for text in PROMPTS]
    assert together == own
    assert len(set(together)) == len(PROMPTS)
    assert together != [
        own_text(summarizer, "summarize: " + text, 10, num_beams=1) for text in PROMPTS
    ]
    one_beam = texts(summarizer, texts=PROMPTS, max_new_tokens=10, num_beams=1)
    assert one_beam != together
