"""Text generation against transformers' own pipeline, prompt by prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import transformers as hf

from wherry.protocol.errors import InvalidRequest
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.text.generation import Generation
from wherry.tasks.text.text_generation import TextGenerationInput, TextGenerationOutput

from ..writing import PROMPTS, texts, written

#: Rotary positions and no padding token; learned positions and the end token as padding.
MODELS = ("text-generation", "text-generation-gpt2")
DRAWN: dict[str, Any] = {"do_sample": True, "temperature": 1.5, "max_new_tokens": 20}


@pytest.fixture(params=MODELS)
def folder(request: pytest.FixtureRequest, tiny_model: Callable[[str], Path]) -> Path:
    return tiny_model(request.param)


@pytest.fixture
def task(folder: Path) -> Iterator[LocalTask]:
    with create_task("transformers", "text-generation", str(folder)) as made:
        yield made


def test_a_batch_says_what_the_pipeline_says_to_each(task: LocalTask, folder: Path) -> None:
    pipeline = hf.pipeline("text-generation", model=str(folder))
    own = [
        pipeline(prompt, max_new_tokens=12, do_sample=False, return_full_text=False)
        for prompt in PROMPTS
    ]
    together = texts(task, texts=PROMPTS, max_new_tokens=12)
    assert together == [answer[0]["generated_text"] for answer in own]
    assert len(set(together)) == len(PROMPTS)


def test_the_prompt_goes_before_if_wished(task: LocalTask) -> None:
    plain = texts(task, texts=PROMPTS, max_new_tokens=4)
    full = texts(task, texts=PROMPTS, max_new_tokens=4, return_full_text=True)
    assert full == [prompt + text for prompt, text in zip(PROMPTS, plain, strict=True)]


def test_an_empty_prompt_starts_from_the_first_token(task: LocalTask) -> None:
    empty, other = written(task, texts=["", PROMPTS[0]], max_new_tokens=4)
    assert empty.prompt_tokens == 1
    assert [empty] == written(task, texts=[""], max_new_tokens=4)
    assert empty.text != other.text


def test_a_row_near_the_limit_gets_what_is_left(task: LocalTask) -> None:
    """Moved on past the last position, GPT-2 would fail and others talk nonsense."""
    limit: int = task.backend.model.config.max_position_embeddings  # type: ignore[attr-defined] # transformers' backends have one
    long = " fox" * (limit - 3)
    (short_alone,), (long_alone,) = (
        written(task, texts=[prompt], max_new_tokens=limit // 2) for prompt in (PROMPTS[0], long)
    )
    room = limit - long_alone.prompt_tokens
    assert 0 < room <= 3
    assert (long_alone.completion_tokens, long_alone.finish_reason) == (room, "length")
    together = written(task, texts=[PROMPTS[0], long], max_new_tokens=limit // 2)
    assert together == [short_alone, long_alone]


def test_rows_end_where_the_model_ends_them(task: LocalTask) -> None:
    """With an end token of ours, that each row comes to at its own step, or never."""
    model: Any = task.backend.model  # type: ignore[attr-defined] # transformers' backends have one
    tokenizer: Any = task.backend.tokenizer  # type: ignore[attr-defined] # likewise
    endless = texts(task, texts=PROMPTS, max_new_tokens=12)
    prompt = tokenizer(PROMPTS[0], return_tensors="pt")
    tokens = model.generate(**prompt, max_new_tokens=12, do_sample=False)[0].tolist()
    made = tokens[prompt["input_ids"].shape[1] :]
    model.generation_config.eos_token_id = [made[5], tokenizer.eos_token_id]
    ended = written(task, texts=PROMPTS, max_new_tokens=12)
    count = made.index(made[5]) + 1
    assert (ended[0].finish_reason, ended[0].completion_tokens) == ("stop", count)
    assert endless[0].startswith(ended[0].text[:-1])
    assert {row.finish_reason for row in ended} == {"stop", "length"}
    for row in ended:
        assert (row.finish_reason == "length") == (row.completion_tokens == 12)
    alone = [written(task, texts=[prompt], max_new_tokens=12)[0] for prompt in PROMPTS]
    assert ended == alone


def test_a_stop_string_ends_a_text_and_is_left_out(task: LocalTask) -> None:
    whole = texts(task, texts=PROMPTS, max_new_tokens=12)
    stop = [whole[0][4:6], whole[2][-1]]
    stopped = written(task, texts=PROMPTS, max_new_tokens=12, stop=stop)
    for text, row in zip(whole, stopped, strict=True):
        found = [at for string in stop if (at := text.find(string)) >= 0]
        assert row.text == text[: min(found, default=None)]
        assert row.finish_reason == ("stop" if found else "length")
    assert {row.finish_reason for row in stopped} == {"stop", "length"}
    assert stopped[0].completion_tokens < 12


def test_a_stop_string_of_the_prompt_ends_nothing(task: LocalTask) -> None:
    fields: dict[str, Any] = {"texts": PROMPTS[:1], "max_new_tokens": 6}
    (stopped,), (free,) = written(task, stop=["fox"], **fields), written(task, **fields)
    assert "fox" not in free.text
    assert stopped == free


def test_the_model_rests_when_all_rows_have_ended(task: LocalTask) -> None:
    whole = texts(task, texts=PROMPTS[:2], max_new_tokens=12)
    model: Any = task.backend.model  # type: ignore[attr-defined] # transformers' backends have one
    steps: list[int] = []
    model.register_forward_hook(lambda *_: steps.append(1))
    stop = [text[2] for text in whole]
    stopped = written(task, texts=PROMPTS[:2], max_new_tokens=12, stop=stop)
    assert len(steps) == max(row.completion_tokens for row in stopped) < 12


def test_tokens_are_counted(task: LocalTask) -> None:
    rows = written(task, texts=PROMPTS, max_new_tokens=3)
    tokenizer: Any = task.backend.tokenizer  # type: ignore[attr-defined] # transformers' backends have one
    assert [row.prompt_tokens for row in rows] == [len(ids) for ids in tokenizer(PROMPTS).input_ids]
    assert {row.completion_tokens for row in rows} == {3}


def test_repetition_is_punished_without_regard_to_padding(task: LocalTask) -> None:
    fields: dict[str, Any] = {"max_new_tokens": 12, "repetition_penalty": 5.0}
    together = texts(task, texts=PROMPTS, **fields)
    assert together == [texts(task, texts=[prompt], **fields)[0] for prompt in PROMPTS]
    assert together != texts(task, texts=PROMPTS, max_new_tokens=12)


def test_beams_find_what_the_pipeline_finds(task: LocalTask, folder: Path) -> None:
    pipeline = hf.pipeline("text-generation", model=str(folder))
    own = [
        pipeline(prompt, max_new_tokens=8, num_beams=3, do_sample=False, return_full_text=False)
        for prompt in PROMPTS
    ]
    found = texts(task, texts=PROMPTS, max_new_tokens=8, num_beams=3)
    assert found == [answer[0]["generated_text"] for answer in own]
    assert found != texts(task, texts=PROMPTS, max_new_tokens=8)


def test_a_seed_makes_chance_repeatable(task: LocalTask) -> None:
    def drawn(**fields: Any) -> list[str]:
        return texts(task, texts=PROMPTS[:2], **DRAWN, **fields)

    assert drawn(seed=1) == drawn(seed=1)
    assert drawn(seed=1) != drawn(seed=2)
    assert drawn() != drawn()


def test_cold_or_narrow_draws_are_the_likeliest(task: LocalTask) -> None:
    greedy = texts(task, texts=PROMPTS, max_new_tokens=20)
    for narrow in ({"top_k": 1}, {"top_p": 1e-6}, {"temperature": 0.0}):
        fields = DRAWN | narrow
        assert texts(task, texts=PROMPTS, seed=3, **fields) == greedy, narrow
    assert texts(task, texts=PROMPTS, seed=3, **DRAWN) != greedy


def test_what_is_left_out_is_the_models_own(task: LocalTask) -> None:
    named = texts(task, texts=PROMPTS, max_new_tokens=12, repetition_penalty=5.0)
    model: Any = task.backend.model  # type: ignore[attr-defined] # transformers' backends have one
    # As many chat models ship: what they want for draws must not make the default a draw.
    model.generation_config.update(do_sample=True, temperature=0.6, top_p=0.9)
    model.generation_config.update(repetition_penalty=5.0)
    assert texts(task, texts=PROMPTS, max_new_tokens=12) == named


def test_beams_do_not_draw() -> None:
    with pytest.raises(InvalidRequest, match="num_beams 1"):
        TextGenerationInput.validated({"texts": ["x"], "do_sample": True, "num_beams": 2})


def test_a_row_weighs_what_it_may_become() -> None:
    rows = TextGenerationInput(texts=["x" * 40, "x"], max_new_tokens=5)
    assert rows.costs() == [15, 6]


def test_a_generation_survives_the_wire_without_text() -> None:
    nothing = Generation(text="", finish_reason="stop", prompt_tokens=1, completion_tokens=1)
    output = TextGenerationOutput(generations=[nothing])
    response = output.to_inference_response("m")
    assert [tensor.shape for tensor in response.outputs] == [[1]] * 4
    assert TextGenerationOutput.from_inference_response(response) == output
