"""Generating text: one `generate` for many prompts, and what came of each.

The same settings hold for a whole batch, but chance does not: every row draws from its own seed, so
that a row says the same whatever runs beside it. That is exact as far as the logits are: in float32
neighbours move them in the seventh digit, in half precision visibly, and a near tie may then fall
the other way.

Rows may have listeners, who hear of their tokens as they are made: transformers' `streamer` is
given those of all rows at each step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from .....protocol.errors import RowError
from ....text.tokens import Listener
from .sampling import RowSampler, Warping, own_numbers
from .stopping import Stops
from .token_stream import TokenStreamer

#: Models that have another one write -> what they call it.
_WRITERS = {
    "blip": "text_decoder",
    "blip-2": "language_model",
    "instructblip": "language_model",
    "kosmos-2": "text_model",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How to generate; None leaves it to the model's own generation config."""

    max_new_tokens: int
    do_sample: bool = False
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    repetition_penalty: float | None = None
    num_beams: int | None = None
    stop: tuple[str, ...] = ()
    #: Candidates told with each token.
    top: int = 0

    @property
    def draws(self) -> bool:
        """Whether tokens are drawn; temperature 0 means the likeliest."""
        return self.do_sample and self.temperature != 0


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model said to one prompt."""

    text: str
    finish_reason: Literal["stop", "length"]
    #: Tokens made, the one that ended the text included.
    tokens: int
    #: Those tokens.
    ids: tuple[int, ...] = ()


def generate(
    model: Any,
    tokenizer: Any,
    inputs: Mapping[str, torch.Tensor],
    parameters: Parameters,
    *,
    seeds: Sequence[int | None] = (),
    listeners: Sequence[Listener | None] = (),
) -> list[Completion]:
    """Generate for a padded batch on the model's device, with one call of `model.generate`.

    Decoder-only models need input_ids (B, T) and attention_mask padded on the left. All rows may
    have `max_new_tokens`, so bound it with `budget` first. `seeds` is one a row; None draws anew
    each time. `listeners`, one a row, hear each token, but for beam search, which takes words back;
    a row whose listener has had enough ends. Call it within `TransformersBackend.forward`.
    """
    rows = next(iter(inputs.values())).shape[0]
    start = _prompt_length(model, inputs)
    own = writer(model)
    stops = Stops.of(own, tokenizer, parameters.stop)
    arguments: dict[str, Any] = {
        "max_new_tokens": parameters.max_new_tokens,
        "do_sample": False,  # RowSampler draws
        **_padding(model, tokenizer),
        "stopping_criteria": stops.criteria(start),
        "num_return_sequences": 1,
        "return_dict_in_generate": False,
    }
    if parameters.num_beams is not None:
        arguments["num_beams"] = parameters.num_beams
    if parameters.repetition_penalty is not None:
        arguments["repetition_penalty"] = float(parameters.repetition_penalty)
    processors: list[Any] = []
    if any(listeners) and beams(own, parameters) == 1:
        prompts = _prompts(model, inputs)
        streamer = TokenStreamer(tokenizer, stops, prompts, listeners, parameters.top)
        arguments["streamer"] = streamer
        arguments["stopping_criteria"].append(streamer.hush)
        processors.append(streamer.look)  # before the sampler leaves one token
    if parameters.draws:
        warping = Warping.of(
            own.generation_config, parameters.temperature, parameters.top_p, parameters.top_k
        )
        numbers = own_numbers(seeds or [None] * rows, parameters.max_new_tokens)
        sampler = RowSampler(warping, numbers, start)
        processors.append(sampler)
        arguments["num_beams"] = 1
    _forget(model)
    sequences = model.generate(**inputs, logits_processor=processors, **arguments).cpu()
    return [
        completion(tokenizer, stops, prompt, row[start:].tolist())
        for prompt, row in zip(_prompts(model, inputs), sequences, strict=True)
    ]


def writer(model: Any) -> Any:
    """The part of a model that writes, whose settings hold: BLIP's kin have one within them."""
    part = _WRITERS.get(model.config.model_type)
    return getattr(model, part) if part else model


def _padding(model: Any, tokenizer: Any) -> dict[str, int]:
    # BLIP gives its writer the token itself.
    own = model.config.model_type == "blip"
    return {} if own else {"pad_token_id": pad_token(model, tokenizer)}


def beams(model: Any, parameters: Parameters) -> int:
    """How many texts are followed at once: as asked for, else as the model has it."""
    own: int | None = getattr(model.generation_config, "num_beams", None)
    return 1 if parameters.draws else parameters.num_beams or own or 1


def first_steps(
    model: Any, tokenizer: Any, inputs: Mapping[str, torch.Tensor]
) -> list[list[NDArray[np.float32]]]:
    """The logits (V,) of each row's first two tokens, the first made the same one for all.

    Logits tell more than a text: a model that says one word for ever hides what moves it, and two
    words that are as likely would seem a move. Inputs are those of `generate`.
    """
    ends = writer(model).generation_config.eos_token_id
    avoid = {*(ends if isinstance(ends, list) else [ends]), pad_token(model, tokenizer)}
    same = next(token for token in range(len(avoid) + 1) if token not in avoid)

    def say_it(_: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        forced = torch.full_like(scores, -torch.inf)
        forced[:, same] = 0
        return forced

    _forget(model)
    found = model.generate(
        **inputs,
        max_new_tokens=2,
        logits_processor=[say_it],
        do_sample=False,
        num_beams=1,
        num_return_sequences=1,
        **_padding(model, tokenizer),
        return_dict_in_generate=True,
        output_logits=True,
    )
    steps = [step.float().cpu().numpy() for step in found.logits]  # (B, V) each
    return [list(row) for row in zip(*steps, strict=True)]


def _forget(model: Any) -> None:
    """Drop what a model keeps in its modules of the rows before, not in a cache that is theirs.

    RecurrentGemma would read a prompt of one token as the next one of theirs.
    """
    if model.config.model_type != "recurrent_gemma":
        return
    for module in model.modules():
        if hasattr(module, "conv1d_state"):
            module.conv1d_state = None


def budget(model: Any, prompt_tokens: int, max_new_tokens: int, *, started: int = 1) -> int:
    """How many tokens a row may get: what it asks for, within the model's positions.

    `started` is how many tokens an encoder-decoder's text starts with. Raises RowError for a prompt
    that leaves no room.
    """
    if model.config.is_encoder_decoder:  # prompt and text are counted apart
        check_length(prompt_tokens, positions(model, "encoder"))
        limit = positions(model, "decoder")
        return max_new_tokens if limit is None else min(max_new_tokens, limit - started)
    limit = positions(model, "decoder")
    if limit is None:
        return max_new_tokens
    check_length(prompt_tokens, limit - min(1, max_new_tokens))
    return min(max_new_tokens, limit - prompt_tokens)


def positions(model: Any, side: Literal["encoder", "decoder"]) -> int | None:
    """How many tokens that side can tell the places of; None for no limit (T5, BLOOM, XLNet)."""
    config = model.config.get_text_config()
    both: int | None = getattr(config, "max_position_embeddings", None)
    own: int | None = getattr(config, f"max_{side}_position_embeddings", None)  # LED
    limit = own or both
    return limit if limit is None or limit > 0 else None  # XLNet says -1


def check_length(tokens: int, limit: int | None) -> None:
    """Raise RowError for a prompt longer than the model takes."""
    if limit is not None and tokens > limit:
        raise RowError(f"the text has {tokens} tokens; this model takes {limit} at most")


def pad_token(model: Any, tokenizer: Any) -> int:
    """What fills up shorter rows; any token does, as the mask leaves it out."""
    own = writer(model).generation_config
    ends = own.eos_token_id if isinstance(own.eos_token_id, list) else [own.eos_token_id]
    for token in (tokenizer.pad_token_id, own.pad_token_id, tokenizer.eos_token_id, *ends):
        if token is not None:
            return int(token)
    return 0


def _prompt_length(model: Any, inputs: Mapping[str, torch.Tensor]) -> int:
    """How many of the tokens that `generate` gives back were there before."""
    if model.config.is_encoder_decoder:
        started = inputs.get("decoder_input_ids")
        if started is None:
            return 1
        return int(started.shape[1]) + _starts_by_itself(model, started)
    if "input_ids" in inputs:  # BLIP takes the last of them off
        taken: int = model.config.model_type == "blip"
        return int(inputs["input_ids"].shape[1]) - taken
    queries: int = getattr(model.config, "num_query_tokens", 0)  # BLIP-2's picture
    return queries + 1


def _starts_by_itself(model: Any, started: torch.Tensor) -> bool:
    """Whether `generate` puts a start before one that is given: for all models but Donut."""
    if "donut" in getattr(getattr(model.config, "encoder", None), "model_type", ""):
        return False
    start = writer(model).generation_config.decoder_start_token_id
    return start is not None and bool((started[:, 0] != start).all())


def _prompts(model: Any, inputs: Mapping[str, torch.Tensor]) -> list[list[int]]:
    """The rows' own prompts, without padding; nothing where the text starts afresh."""
    if model.config.is_encoder_decoder or "input_ids" not in inputs:
        return [[] for _ in next(iter(inputs.values()))]
    mask = inputs["attention_mask"].bool()
    return [ids[kept].tolist() for ids, kept in zip(inputs["input_ids"], mask, strict=True)]


def completion(tokenizer: Any, stops: Stops, prompt: list[int], tokens: list[int]) -> Completion:
    """What a row's new tokens say, up to its end."""
    end, stopped = stops.end(tokens)
    made = tokens[:end]
    # Decoded behind the prompt: some tokenizers drop the space that a text begins with.
    before = tokenizer.decode(prompt, skip_special_tokens=True)
    text = tokenizer.decode([*prompt, *made], skip_special_tokens=True)[len(before) :]
    reason: Literal["stop", "length"] = "stop" if stopped else "length"
    return Completion(stops.cut(text), reason, len(made), tuple(made))
