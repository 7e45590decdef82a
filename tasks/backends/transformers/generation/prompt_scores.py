"""Scoring prompts: the chance that a decoder gives to each of their tokens.

A forward's logits are (B, T, V): gigabytes for a long prompt. So forwards take as many rows as fit
a bound, and a prompt that passes it alone is read in parts, each on the cache of those before.
Rows are padded on the right, where a decoder does not look: a row's scores are its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from .....protocol.errors import RowError
from .scores import Score, scores_of

#: Bytes of one forward's logits, in float32.
_LOGITS_BYTES = 128 * 2**20


def check_scorable(model: Any, tokens: int) -> None:
    """Raise RowError for a prompt that only a model with a cache can be scored on."""
    room = _room(model, _LOGITS_BYTES)
    cached = "past_key_values" in inspect.signature(model.forward).parameters
    stateful = model._is_stateful  # noqa: SLF001 # transformers' own mark
    if tokens > room and (stateful or not cached):
        raise RowError(
            f"prompt_logprobs: the text has {tokens} tokens; of this model, which reads on from no "
            f"cache, {room} at most can be scored"
        )


def prompt_scores(
    model: Any,
    prompts: Sequence[Sequence[int]],
    tops: Sequence[int],
    *,
    logits_bytes: int = _LOGITS_BYTES,
) -> list[list[Score]]:
    """The scores of each prompt's tokens from the second on, with `tops` candidates each; a first
    token has no chance.

    `check_scorable` first. Call it within `TransformersBackend.forward`.
    """
    room = _room(model, logits_bytes)
    found: dict[int, list[Score]] = {}
    for group in _groups([len(prompt) for prompt in prompts], room):
        rows = [list(prompts[i]) for i in group]
        if len(rows[0]) > room:
            found[group[0]] = _in_parts(model, rows[0], tops[group[0]], room)
        else:
            scores = _at_once(model, rows, [tops[i] for i in group])
            found.update(zip(group, scores, strict=True))
    return [found[i] for i in range(len(prompts))]


def _room(model: Any, logits_bytes: int) -> int:
    """Tokens of one forward whose logits fit."""
    vocabulary: int = model.get_output_embeddings().weight.shape[0]
    return max(1, logits_bytes // (4 * vocabulary))


def _groups(lengths: Sequence[int], room: int) -> Iterator[list[int]]:
    """Rows of like lengths together, so many that `room` tokens hold them, padding included."""
    group: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if group and lengths[row] * (len(group) + 1) > room:
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _at_once(model: Any, rows: Sequence[list[int]], tops: Sequence[int]) -> list[list[Score]]:
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows], device=model.device)
    mask = torch.tensor(
        [[1] * len(row) + [0] * (longest - len(row)) for row in rows], device=model.device
    )
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits  # (B, T, V)
    return [_scores(logits[i], row[1:], tops[i]) for i, row in enumerate(rows)]


def _in_parts(model: Any, row: list[int], top: int, room: int) -> list[Score]:
    ids = torch.tensor([row], device=model.device)
    cache: Any = None
    scores: list[Score] = []
    for start in range(0, len(row), room):
        part = ids[:, start : start + room]
        out = model(
            input_ids=part,
            attention_mask=torch.ones_like(ids[:, : start + part.shape[1]]),
            past_key_values=cache,
            use_cache=True,
        )
        scores += _scores(out.logits[0], row[start + 1 : start + 1 + part.shape[1]], top)
        cache = out.past_key_values
    return scores


def _scores(logits: torch.Tensor, following: Sequence[int], top: int) -> list[Score]:
    """Of the tokens that follow places of logits (T, V); places beyond the last say nothing."""
    tokens = torch.tensor(following, dtype=torch.long, device=logits.device)
    return scores_of(logits[: len(following)].float().log_softmax(-1), tokens, top)
