"""Generating text: one `generate` for many prompts, and what came of each.

Each row has its own settings, its own end and its own chance, so that a row says the same whatever
runs beside it; but for beam search, where a batch has one set of settings. That is exact as far as
the logits are: in float32 neighbours move them in the seventh digit, in half precision visibly, and
a near tie may then fall the other way.

Rows may have listeners, who hear of their tokens as they are made.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from .....protocol.errors import RowError
from ....text.tokens import Listener
from .parameters import Parameters
from .row_loop import LoopRow, RowLoop
from .sampling import Warping
from .stopping import Stops
from .token_stream import RowStreamer

#: Models that have another one write -> what they call it.
_WRITERS = {
    "blip": "text_decoder",
    "blip-2": "language_model",
    "instructblip": "language_model",
    "kosmos-2": "text_model",
}


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model said to one prompt."""

    text: str
    finish_reason: Literal["stop", "length"]
    #: Tokens made, the one that ended the text included.
    tokens: int
    #: Those tokens.
    ids: tuple[int, ...] = ()
    #: Why it is not what was asked for; "" if it is.
    fault: str = ""


def generate(
    model: Any,
    tokenizer: Any,
    inputs: Mapping[str, torch.Tensor],
    rows: Sequence[Parameters],
    *,
    listeners: Sequence[Listener | None] = (),
) -> list[Completion]:
    """Generate for a padded batch on the model's device, with one call of `model.generate`.

    Decoder-only models need input_ids (B, T) and attention_mask padded on the left. Each row may
    have its `max_new_tokens`, so bound it with `budget` first, and group rows by `company_of`.
    `listeners`, one a row, hear each token, but for beam search, which takes words back; a row
    whose listener has had enough ends. Call it within `TransformersBackend.forward`.
    """
    own, prompts = writer(model), _prompts(model, inputs)
    known = {wanted.stop: Stops.of(own, tokenizer, wanted.stop) for wanted in rows}
    stops = [known[wanted.stop] for wanted in rows]
    arguments: dict[str, Any] = {
        "max_new_tokens": max(wanted.max_new_tokens for wanted in rows),
        "do_sample": False,  # rows draw by themselves
        **_padding(model, tokenizer),
        "num_return_sequences": 1,
        "return_dict_in_generate": False,
    }
    _forget(model)
    if beams(own, rows[0]) > 1:
        made, faults = _follow_beams(model, inputs, rows[0], stops[0], arguments), [""] * len(rows)
    else:
        loop = [
            LoopRow(
                wanted,
                ends,
                Warping.of(own.generation_config, wanted),
                listener and RowStreamer(listener, tokenizer, prompt, ends, wanted.opening),
            )
            for wanted, ends, prompt, listener in zip(
                rows, stops, prompts, listeners or [None] * len(rows), strict=True
            )
        ]
        run = RowLoop(loop, leaving=may_leave(model))
        model.generate(**inputs, custom_generate=run, num_beams=1, **arguments)
        made = [row.tokens for row in loop]
        faults = [row.follower.fault if row.follower else "" for row in loop]
    texts = [completion(tokenizer, *row) for row in zip(stops, prompts, made, strict=True)]
    return [replace(text, fault=fault) for text, fault in zip(texts, faults, strict=True)]


def _follow_beams(
    model: Any,
    inputs: Mapping[str, torch.Tensor],
    wanted: Parameters,
    stops: Stops,
    arguments: Mapping[str, Any],
) -> list[list[int]]:
    """Each row's new tokens, by beam search: transformers' own, of one setting for all rows."""
    start, asked = _prompt_length(model, inputs), dict(arguments)
    if wanted.num_beams is not None:
        asked["num_beams"] = wanted.num_beams
    if wanted.repetition_penalty is not None:
        asked["repetition_penalty"] = float(wanted.repetition_penalty)
    sequences = model.generate(**inputs, stopping_criteria=stops.criteria(start), **asked)
    return [row[start:].tolist() for row in sequences.cpu()]


def company_of(model: Any, rows: Sequence[Parameters]) -> list[Hashable]:
    """What rows must have alike to be written together by one `generate`."""
    own, leaving = writer(model), may_leave(model)
    most = max((wanted.max_new_tokens for wanted in rows), default=0)

    def key(wanted: Parameters) -> Hashable:
        if beams(own, wanted) > 1:
            return replace(wanted, seed=None, top=0)
        if leaving or wanted.room is None or wanted.room >= most:
            return None
        # A row that has ended goes on with the others: all must have room for as many tokens.
        return wanted.max_new_tokens

    return [key(wanted) for wanted in rows]


def may_leave(model: Any) -> bool:
    """Whether rows can be taken out of a running batch: whether all that a model keeps of them is
    in transformers' own cache, or one that is told of it.
    """
    own = writer(model)
    if own._is_stateful or any(hasattr(part, "rope_deltas") for part in model.modules()):  # noqa: SLF001 # transformers' own mark
        return False
    return own._supports_default_dynamic_cache() or getattr(own, "rows_may_leave", False)  # noqa: SLF001 # likewise


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


def room_of(model: Any, prompt_tokens: int, max_new_tokens: int, *, started: int = 1) -> int | None:
    """How many tokens the model's positions leave a row that asks for so many; None for no limit.

    `started` is how many tokens an encoder-decoder's text starts with. Raises RowError for a prompt
    that leaves no room.
    """
    limit = positions(model, "decoder")
    if model.config.is_encoder_decoder:  # prompt and text are counted apart
        check_length(prompt_tokens, positions(model, "encoder"))
        return limit if limit is None else limit - started
    if limit is None:
        return None
    check_length(prompt_tokens, limit - min(1, max_new_tokens))
    return limit - prompt_tokens


def within(max_new_tokens: int, room: int | None) -> int:
    """How many tokens a row may get of those that it asks for."""
    return max_new_tokens if room is None else min(max_new_tokens, room)


def budget(model: Any, prompt_tokens: int, max_new_tokens: int, *, started: int = 1) -> int:
    """How many tokens a row may get, within the model's positions. Raises what `room_of` raises."""
    room = room_of(model, prompt_tokens, max_new_tokens, started=started)
    return within(max_new_tokens, room)


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
