"""Drawing and ending, apart from any model."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers as hf

from wherry.protocol.errors import RowError
from wherry.samples.tiny.parts import bpe
from wherry.tasks.backends.transformers.generation.generate import (
    Completion,
    budget,
    completion,
    pad_token,
)
from wherry.tasks.backends.transformers.generation.sampling import RowSampler, Warping, own_numbers
from wherry.tasks.backends.transformers.generation.stopping import Stops

SCORES = torch.tensor([[2.0, -torch.inf, 0.5, 1.0, -1.0]])
PLAIN = Warping(temperature=1.0, top_k=0, top_p=1.0)


def shares(warping: Warping, draws: int = 4000) -> list[float]:
    """How often each token is drawn for numbers spread evenly over 0 to 1."""
    numbers = ((torch.arange(draws) + 0.5) / draws).double()[:, None]
    sampler = RowSampler(warping, numbers, prompt_length=3)
    drawn = sampler(torch.zeros(draws, 3, dtype=torch.long), SCORES.expand(draws, -1))
    counts = torch.bincount(drawn.argmax(-1), minlength=SCORES.shape[1])
    found: list[float] = (counts / draws).tolist()
    return found


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    assert shares(PLAIN) == pytest.approx(SCORES[0].softmax(-1).tolist(), abs=1e-3)


def test_draws_are_bent_as_transformers_bends_them() -> None:
    bent = Warping(temperature=2.0, top_k=3, top_p=0.8)
    scores = hf.TemperatureLogitsWarper(2.0)(None, SCORES)
    scores = hf.TopPLogitsWarper(0.8)(None, hf.TopKLogitsWarper(3)(None, scores))
    assert shares(bent) == pytest.approx(scores[0].softmax(-1).tolist(), abs=1e-3)
    assert shares(bent) != pytest.approx(shares(PLAIN), abs=1e-2)


@pytest.mark.parametrize("number", [0.0, 1 - 2**-53])
def test_the_outermost_numbers_draw_tokens_too(number: float) -> None:
    scores = torch.tensor([[-torch.inf, 1.0, 2.0, -torch.inf]])
    sampler = RowSampler(PLAIN, torch.tensor([[number]], dtype=torch.float64), prompt_length=1)
    drawn = sampler(torch.zeros(1, 1, dtype=torch.long), scores)
    assert drawn.argmax(-1).item() == (1 if number == 0 else 2)


def test_numbers_are_each_seeds_own_and_begin_alike() -> None:
    few, many = own_numbers([3, 4], 2), own_numbers([4, 3, None], 9)
    assert few[0].tolist() == many[1, :2].tolist()
    assert few[1].tolist() == many[0, :2].tolist()
    assert many[2].tolist() != own_numbers([None], 9)[0].tolist()


def stops(*strings: str, ends: list[int] | int | None = None) -> tuple[Stops, Any]:
    tokenizer = bpe(extra=["<|turn|>"])
    model = SimpleNamespace(generation_config=SimpleNamespace(eos_token_id=ends))
    return Stops.of(model, tokenizer, strings), tokenizer


def test_an_end_is_found_at_the_token_that_completes_it() -> None:
    found, tokenizer = stops("lazy")
    tokens = tokenizer("the lazy dog").input_ids
    count, stopped = found.end(tokens)
    assert stopped
    assert "lazy" in tokenizer.decode(tokens[:count])
    assert "lazy" not in tokenizer.decode(tokens[: count - 1])
    assert found.end(tokens[: count - 1]) == (count - 1, False)


def test_a_string_within_a_character_row_is_found() -> None:
    found, tokenizer = stops("☂")
    tokens = tokenizer("ééé☂ab").input_ids
    count, stopped = found.end(tokens)
    assert stopped
    assert tokenizer.decode(tokens[:count]) == "ééé☂"


def test_a_special_token_may_be_named() -> None:
    found, tokenizer = stops("<|turn|>")
    tokens = tokenizer("hello<|turn|>hello").input_ids
    count, stopped = found.end(tokens)
    assert stopped
    assert tokens[count - 1] == tokenizer.convert_tokens_to_ids("<|turn|>")


@pytest.mark.parametrize("ends", [7, [5, 7]])
def test_the_first_end_token_counts(ends: Any) -> None:
    found, _ = stops(ends=ends)
    assert found.end([1, 7, 7, 7]) == (2, True)
    assert found.end([1, 2, 3]) == (3, False)


def test_the_earliest_string_cuts() -> None:
    found, _ = stops("dog", "fox")
    assert found.cut("a fox and a dog") == "a "
    assert found.cut("a cat") == "a cat"


def test_the_space_that_a_text_begins_with_is_kept() -> None:
    """Sentencepiece's kin drop it from a text decoded alone."""
    tokenizer: Any = hf.NllbTokenizer(
        vocab={"<s>": 0, "<pad>": 1, "</s>": 2, "▁": 3, "h": 4, "i": 5}
    )
    made = completion(tokenizer, Stops(tokenizer, frozenset(), (), 0), [4, 5], [3, 4, 5])
    assert made == Completion(" hi", "length", 3, (3, 4, 5))
    assert tokenizer.decode([3, 4, 5]) == "hi"


def model_of(config: Any) -> Any:
    return SimpleNamespace(
        config=config, generation_config=SimpleNamespace(eos_token_id=[9], pad_token_id=None)
    )


def test_room_is_what_the_positions_leave() -> None:
    gpt2 = model_of(hf.GPT2Config(n_positions=32))
    assert budget(gpt2, 20, 10) == 10
    assert budget(gpt2, 31, 10) == 1
    with pytest.raises(RowError, match="has 32 tokens; this model takes 31 at most"):
        budget(gpt2, 32, 10)


def test_an_encoder_decoder_counts_prompt_and_text_apart() -> None:
    bart = model_of(hf.BartConfig(max_position_embeddings=32))
    assert budget(bart, 32, 100) == 31
    assert budget(bart, 32, 100, started=2) == 30
    with pytest.raises(RowError, match="takes 32 at most"):
        budget(bart, 33, 1)
    led = model_of(
        hf.LEDConfig(max_encoder_position_embeddings=99, max_decoder_position_embeddings=9)
    )
    assert budget(led, 99, 100) == 8


@pytest.mark.parametrize("config", [hf.T5Config(), hf.BloomConfig()])
def test_a_model_without_positions_has_room(config: Any) -> None:
    assert budget(model_of(config), 10**6, 77) == 77


def test_any_token_can_fill_up_rows() -> None:
    bare = SimpleNamespace(pad_token_id=None, eos_token_id=None)
    assert pad_token(model_of(hf.GPT2Config()), bare) == 9
    assert (
        pad_token(model_of(hf.GPT2Config()), SimpleNamespace(pad_token_id=0, eos_token_id=1)) == 0
    )
