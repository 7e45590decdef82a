"""The prompt's own tokens and their logprobs, against the model's plain forward of each prompt."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf

from wherry.protocol import codec
from wherry.protocol.errors import InvalidRequest, RowError
from wherry.tasks.backends import create_backend
from wherry.tasks.backends.base import StreamingBackend
from wherry.tasks.backends.device import Device
from wherry.tasks.backends.transformers.generation import prompt_scores
from wherry.tasks.backends.transformers.generation.token_stream import scored_prompt
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.text.generation import Generation, GenerationOutput
from wherry.tasks.text.text_generation import TextGenerationInput
from wherry.tasks.text.tokens import Candidate, Chunk, Token

from ..writing import PROMPTS, written

SCORED: dict[str, Any] = {"prompt_logprobs": True, "logprobs": 2}


@pytest.fixture(scope="module", params=["text-generation", "text-generation-gpt2", "continuous"])
def task(request: pytest.FixtureRequest, tiny_model: Callable[[str], Path]) -> Iterator[LocalTask]:
    continuous = request.param == "continuous"
    folder = tiny_model("chat" if continuous else request.param)
    more = {"continuous": continuous} if continuous else {}
    with create_task("transformers", "text-generation", str(folder), more) as made:
        yield made


def ids_of(task: LocalTask, text: str) -> list[int]:
    ids: list[int] = task.backend.tokenizer(text)["input_ids"]  # type: ignore[attr-defined] # a Writer has one
    return ids


def own_scores(task: LocalTask, ids: list[int]) -> torch.Tensor:
    """(T - 1, V): what the model itself holds of each token after the first."""
    model: Any = task.backend.model  # type: ignore[attr-defined] # a Writer has one
    with torch.no_grad():
        scores: torch.Tensor = model(torch.tensor([ids])).logits[0, :-1].log_softmax(-1)
    return scores


def tokens_of(generation: Generation) -> list[Token]:
    assert generation.tokens is not None
    return list(generation.tokens)


def test_each_token_of_a_prompt_has_the_models_own_chance(task: LocalTask) -> None:
    rows = written(task, texts=PROMPTS, max_new_tokens=4, **SCORED)
    for prompt, generation in zip(PROMPTS, rows, strict=True):
        tokens, ids = tokens_of(generation), ids_of(task, prompt)
        count = len(ids)
        assert [token.prompt for token in tokens] == [True] * count + [False] * (
            len(tokens) - count
        )
        assert [token.id for token in tokens[:count]] == ids
        assert len(tokens) == generation.prompt_tokens + generation.completion_tokens
        assert (tokens[0].logprob, tokens[0].top) == (None, ())
        own = own_scores(task, [token.id for token in tokens])
        for place, token in enumerate(tokens[1:]):
            assert token.logprob == pytest.approx(float(own[place][token.id]), abs=1e-4)
            best = own[place].topk(2)
            assert [c.logprob for c in token.top] == pytest.approx(best.values.tolist(), abs=1e-4)
        assert "".join(token.text for token in tokens[:count]) == prompt
        made = "".join(token.text for token in tokens[count:])
        assert generation.text.startswith(made)
        assert len(generation.text) - len(made) <= 4, "only bytes of a broken character are left"


def test_a_row_is_scored_alike_alone_and_beside_others(task: LocalTask) -> None:
    together = written(task, texts=PROMPTS, max_new_tokens=0, **SCORED)
    for prompt, beside in zip(PROMPTS, together, strict=True):
        [alone] = written(task, texts=[prompt], max_new_tokens=0, **SCORED)
        pairs = list(zip(tokens_of(alone), tokens_of(beside), strict=True))
        assert [(a.id, a.text) for a, _ in pairs] == [(b.id, b.text) for _, b in pairs]
        assert [a.logprob for a, _ in pairs][1:] == pytest.approx(
            [b.logprob for _, b in pairs][1:], abs=1e-5
        )


def test_no_new_tokens_are_made_where_none_are_asked_for(task: LocalTask) -> None:
    plain = written(task, texts=PROMPTS, max_new_tokens=0)
    assert {(g.text, g.finish_reason, g.completion_tokens) for g in plain} == {("", "length", 0)}
    full = written(task, texts=PROMPTS, max_new_tokens=0, return_full_text=True)
    assert [generation.text for generation in full] == PROMPTS


def test_token_numbers_are_a_prompt(task: LocalTask) -> None:
    ids = [ids_of(task, prompt) for prompt in PROMPTS]
    given: dict[str, Any] = {"texts": [""] * len(ids), "token_ids": ids}
    options: dict[str, Any] = {"max_new_tokens": 5, "return_full_text": True, **SCORED}
    by_number = written(task, **given, **options)
    by_text = written(task, texts=PROMPTS, **options)
    assert by_number == by_text


def test_a_number_that_no_token_has_fails_alone(task: LocalTask) -> None:
    batch = TextGenerationInput(texts=["", ""], token_ids=[[5], [999_999]], max_new_tokens=2)
    good, bad = task.backend.run(batch.rows())
    assert isinstance(good, GenerationOutput)
    assert isinstance(bad, RowError)
    assert "token_ids: 999999 is none of this model's" in bad.message


def test_a_prompt_may_fill_all_positions_when_nothing_is_made(task: LocalTask) -> None:
    limit: int = task.backend.model.config.max_position_embeddings  # type: ignore[attr-defined] # a Writer has one
    fields: dict[str, Any] = {"texts": [""], "token_ids": [[5] * limit], **SCORED}
    [generation] = written(task, max_new_tokens=0, **fields)
    assert len(tokens_of(generation)) == limit
    [failed] = task.backend.run([TextGenerationInput(max_new_tokens=1, **fields)])
    assert isinstance(failed, RowError)


def test_tokens_survive_the_wire(task: LocalTask) -> None:
    output = task.process(TextGenerationInput(texts=PROMPTS, max_new_tokens=2, **SCORED))
    body, length = codec.encode_response(output.to_inference_response("m"))
    again = GenerationOutput.from_inference_response(codec.decode_response(body, length))
    assert again.generations == output.generations  # type: ignore[attr-defined] # it writes


def test_a_chunk_says_no_more_of_a_token_than_there_is() -> None:
    plain = Token(7, " a", -0.5)
    scored = Token(8, " b", -0.5, top=(Candidate(9, " c", -0.25),))
    chunk = Chunk(row=0, at=0, tokens=[plain, scored, Token(1, "", None, prompt=True)])
    written = chunk.model_dump_json()
    assert json.loads(written)["tokens"][0] == [7, " a", -0.5, False]
    assert Chunk.model_validate_json(written) == chunk


@pytest.mark.parametrize("continuous", [False, True])
def test_a_listener_hears_the_prompt_first(
    tiny_model: Callable[[str], Path], *, continuous: bool
) -> None:
    backend = create_backend(
        "transformers",
        "text-generation",
        str(tiny_model("chat")),
        device=Device("cpu"),
        continuous=continuous,
    )
    backend.load()
    assert isinstance(backend, StreamingBackend)
    heard: list[Token] = []

    def listen(token: Token) -> bool:
        heard.append(token)
        return True

    rows = TextGenerationInput(texts=PROMPTS, max_new_tokens=6, **SCORED).rows()
    answers = backend.stream(rows, [listen, None, None, None])
    backend.close()
    assert isinstance(answers[0], GenerationOutput)
    assert heard == tokens_of(answers[0].generations[0])


def test_what_is_held_for_a_stop_string_that_never_comes_is_told(task: LocalTask) -> None:
    [plain] = written(task, texts=PROMPTS[:1], max_new_tokens=6, logprobs=0)
    [waiting] = written(
        task, texts=PROMPTS[:1], max_new_tokens=6, logprobs=0, stop=[plain.text[-1] + "never"]
    )
    assert tokens_of(waiting) == tokens_of(plain)


_SIZES: dict[str, Any] = {"vocab_size": 61, "hidden_size": 32, "intermediate_size": 32}
_HEADS: dict[str, Any] = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16}
_LAYERS: dict[str, Any] = {"num_hidden_layers": 2, "sliding_window": 6}


@pytest.mark.parametrize(
    "config",
    [
        hf.MistralConfig(**_SIZES, **_HEADS, **_LAYERS),
        hf.Gemma2Config(**_SIZES, **_HEADS, **_LAYERS),
        hf.GPT2Config(vocab_size=61, n_embd=32, n_layer=2, n_head=2, n_positions=64),
    ],
    ids=lambda config: config.model_type,
)
def test_a_long_prompt_is_read_in_parts(config: hf.PreTrainedConfig) -> None:
    torch.manual_seed(0)
    model = hf.AutoModelForCausalLM.from_config(config).eval()
    widths: list[int] = []
    model.get_output_embeddings().register_forward_hook(
        lambda _, __, logits: widths.append(logits.shape[0] * logits.shape[1])
    )
    prompts = [torch.randint(0, 61, (n,)).tolist() for n in (40, 3, 17, 1, 16)]
    with torch.inference_mode():
        whole = prompt_scores.prompt_scores(model, prompts, [3] * len(prompts))
        widths.clear()
        parts = prompt_scores.prompt_scores(
            model, prompts, [3] * len(prompts), logits_bytes=16 * 4 * 61
        )
    assert max(widths) <= 16, "no forward makes more logits than fit"
    assert [len(row) for row in parts] == [len(prompt) - 1 for prompt in prompts]
    for one, other in zip(whole, parts, strict=True):
        for a, b in zip(one, other, strict=True):
            assert a.logprob == pytest.approx(b.logprob, abs=1e-4)
            assert [t for t, _ in a.likeliest] == [t for t, _ in b.likeliest]


@pytest.mark.parametrize(
    "config",
    [
        hf.OpenAIGPTConfig(vocab_size=61, n_embd=32, n_layer=2, n_head=2, n_positions=64),
        hf.MambaConfig(vocab_size=61, hidden_size=32, num_hidden_layers=2, state_size=4),
        hf.LlamaConfig(**_SIZES, **_HEADS, num_hidden_layers=2),
    ],
    ids=lambda config: config.model_type,
)
def test_a_model_that_reads_on_from_no_cache_says_what_it_can_score(
    config: hf.PreTrainedConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = hf.AutoModelForCausalLM.from_config(config)
    monkeypatch.setattr(prompt_scores, "_LOGITS_BYTES", 16 * 4 * 61)
    prompt_scores.check_scorable(model, 16)
    if config.model_type == "llama":
        prompt_scores.check_scorable(model, 17)
        return
    with pytest.raises(RowError, match="17 tokens; .* 16 at most can be scored"):
        prompt_scores.check_scorable(model, 17)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prompt_logprobs": True}, "say how many by logprobs"),
        ({"logprobs": 21}, "logprobs"),
        ({"logprobs": 0, "num_beams": 2}, "beam search tells no tokens"),
        ({"token_ids": [[1]]}, "texts must be ''"),
        ({"texts": [""], "token_ids": [[]]}, "token_ids"),
        ({"texts": [""], "token_ids": [[-1]]}, "token_ids"),
    ],
)
def test_what_does_not_fit_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        TextGenerationInput.validated({"texts": ["a"], **fields})


def test_scoring_a_prompt_costs_its_tokens_again() -> None:
    plain = TextGenerationInput(texts=["x" * 400], max_new_tokens=10)
    scored = TextGenerationInput(texts=["x" * 400], max_new_tokens=10, **SCORED)
    assert (plain.costs(), scored.costs()) == ([110], [210])
    numbers = TextGenerationInput(texts=[""], token_ids=[[7] * 50], max_new_tokens=0)
    assert numbers.costs() == [50]


def test_a_prompt_of_bytes_that_are_no_text_costs_time_in_proportion(task: LocalTask) -> None:
    """Its tokens' texts are not looked for over and over from the first."""
    tokenizer: Any = task.backend.tokenizer  # type: ignore[attr-defined] # a Writer has one
    decoded: list[int] = []

    class Counting:
        all_special_ids = tokenizer.all_special_ids

        def decode(self, tokens: list[int], **options: Any) -> str:
            decoded.append(len(tokens))
            text: str = tokenizer.decode(tokens, **options)
            return text

    marks = [tokenizer.all_special_ids[0]] * 500
    list(scored_prompt(Counting(), marks, [None] * 499))  # type: ignore[list-item] # no scores
    assert max(decoded, default=0) < 50
