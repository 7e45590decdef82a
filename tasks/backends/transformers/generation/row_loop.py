"""The loop of `generate` in which each row is written as it asks, and leaves when it has ended.

It is transformers' own (`GenerationMixin._sample`), handed to `generate` as `custom_generate`,
which prepares all else: a prefill, then a token a step for all rows. What it adds: rows bend their
scores, draw, stop and are told of one by one; and rows that have ended are taken out of the batch,
so that the others do not carry them along.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from transformers import EosTokenCriteria, LogitsProcessorList, MaxLengthCriteria

from ...rows import alike
from .adjusting import Adjustment
from .grammars import held
from .parameters import Parameters
from .sampling import Drawing, Warping
from .scores import Score, scores_of
from .stopping import Stops
from .token_stream import RowStreamer

#: How a step's scores are bent: places of rows, the padding before them, and what bends theirs.
Bends = list[tuple[list[int], int, LogitsProcessorList]]


class LoopRow:
    """A row of a running generate: how it is written, and what it says so far."""

    def __init__(
        self, parameters: Parameters, stops: Stops, warping: Warping, streamer: RowStreamer | None
    ) -> None:
        self.parameters, self.stops, self.warping = parameters, stops, warping
        self.adjust = Adjustment.of(parameters, stops.end_tokens)
        self.streamer = streamer
        self.tokens: list[int] = []
        self.ended = False
        self.follower = parameters.grammar.follower() if parameters.grammar else None
        self._chance = random.Random(parameters.seed)  # noqa: S311 # not for secrets

    def number(self) -> float:
        """The next number from 0 to 1, which makes a token."""
        return self._chance.random()

    def add(self, token: int, score: Score | None) -> None:
        """Take a token, and see whether it is the last."""
        self.tokens.append(token)
        enough = len(self.tokens) >= self.parameters.max_new_tokens
        self.ended = enough or self.stops.ends(self.tokens)
        if self.streamer and score:
            self.streamer.add(token, score.logprob, score.likeliest[: self.parameters.top])
            self.ended = self.ended or self.streamer.gone
            if self.ended:
                self.streamer.end()

    def is_in_the_way(self, steps: int) -> bool:
        """Whether it has ended, and the model has no position for more of it."""
        room = self.parameters.room
        return self.ended and room is not None and steps > room


class RowLoop:
    """A decoding method of transformers; its rows hold what came of them.

    `leaving` lets rows that have ended leave the batch.
    """

    def __init__(self, rows: Sequence[LoopRow], *, leaving: bool) -> None:
        self._rows, self._leaving = rows, leaving

    def __call__(
        self,
        model: Any,
        input_ids: torch.Tensor,
        *,
        generation_config: Any,
        stopping_criteria: Any,
        inputs_tensor: torch.Tensor,
        logits_processor: Any,  # noqa: ARG002 # each row has its own
        **state: Any,  # what the model is given besides, its cache among it
    ) -> torch.Tensor:
        """Write all rows, from input_ids (B, T). What it answers nobody reads."""
        left, bending = list(self._rows), _Bending(model, generation_config, input_ids.shape[1])
        bending.see(left, input_ids, state.get("attention_mask"))
        leaving = self._leaving and not bending.remembers
        others = [each for each in stopping_criteria if not isinstance(each, _OURS)]
        choice = _Choice(left, bending.of(left, inputs_tensor, state))
        outputs = model._prefill(input_ids, generation_config, state)  # noqa: SLF001 # as `_sample`
        with model._optimize_model_for_decode():  # noqa: SLF001 # likewise
            while True:
                state = model._update_model_kwargs_for_generation(  # noqa: SLF001 # likewise
                    outputs, state, is_encoder_decoder=model.config.is_encoder_decoder
                )
                logits = outputs.logits[:, -1].to(input_ids.device, torch.float32, copy=True)
                del outputs  # a prompt's logits are large
                tokens = choice(input_ids, logits, generation_config._pad_token_tensor)  # noqa: SLF001 # likewise
                input_ids = torch.cat([input_ids, tokens[:, None]], dim=-1)
                for criterion in others:
                    for row, over in zip(left, criterion(input_ids, None).tolist(), strict=True):
                        row.ended = row.ended or over
                if all(row.ended for row in left):
                    return input_ids
                if leaving and _is_time(left):
                    stay = [place for place, row in enumerate(left) if not row.ended]
                    rows, index = len(left), torch.tensor(stay, device=input_ids.device)
                    left = [left[place] for place in stay]
                    state = {name: only(part, index, rows, name) for name, part in state.items()}
                    inputs_tensor = only(inputs_tensor, index, rows)
                    input_ids = input_ids[index]
                    choice = _Choice(left, bending.of(left, inputs_tensor, state))
                inputs = model.prepare_inputs_for_generation(
                    input_ids, next_sequence_length=1 if state["use_cache"] else None, **state
                )
                outputs = model(**inputs, return_dict=True)


#: Ends of a text that each row sees to itself.
_OURS = (MaxLengthCriteria, EosTokenCriteria)


def _is_time(rows: Sequence[LoopRow]) -> bool:
    """Whether rows that have ended should leave: to take them out copies what is known of the
    others, as much as a step or two cost.
    """
    steps = max(len(row.tokens) for row in rows)
    ended = sum(row.ended for row in rows)
    return 2 * ended >= len(rows) or any(row.is_in_the_way(steps) for row in rows)


def only(part: Any, index: torch.Tensor, rows: int, name: str = "") -> Any:
    """Of what a model is given of so many rows, the part of those of an index (R,)."""
    if hasattr(part, "reorder_cache"):
        part.reorder_cache(index)
        return part
    if isinstance(part, torch.Tensor):
        # Qwen-VL's places have three dimensions each.
        along = 1 if name.endswith("position_ids") and part.dim() == 3 else 0  # (3, B, T)
        return part.index_select(along, index) if part.shape[along] == rows else part
    if isinstance(part, Mapping):  # an encoder's output
        return type(part)(**{name: only(each, index, rows, name) for name, each in part.items()})
    return part


class _Bending:
    """What bends rows' scores before a token is chosen: as their model is set, and as they ask."""

    def __init__(self, model: Any, own: Any, prompt_length: int) -> None:
        self._model, self._own, self._length = model, own, prompt_length
        #: Whether something keeps in mind which rows there were.
        self.remembers = own.guidance_scale not in (None, 1) or own.watermarking_config is not None
        #: Row -> tokens of padding before it, where what bends its scores would read them as its.
        self._before: dict[LoopRow, int] = {}

    def see(self, rows: Sequence[LoopRow], ids: torch.Tensor, mask: torch.Tensor | None) -> None:
        """Note the rows' padding. Transformers leaves it out of repetition penalties alone."""
        own = self._own
        reads = own.no_repeat_ngram_size or own.encoder_no_repeat_ngram_size
        reads = reads or own.encoder_repetition_penalty not in (None, 1)
        if reads and mask is not None and mask.shape == ids.shape and len(rows) > 1:
            self._before = dict(zip(rows, mask.bool().int().argmax(-1).tolist(), strict=True))

    def of(self, rows: Sequence[LoopRow], inputs: torch.Tensor, state: Mapping[str, Any]) -> Bends:
        """Rows of one penalty together; of one length too, where the model ends by force, and of
        one padding where it would be read.
        """
        groups = alike(self._settings(row) for row in rows)
        befores = [self._before.get(rows[places[0]], 0) for places in groups]
        return [
            (places, before, self._processors(rows, inputs, state, places, before))
            for places, before in zip(groups, befores, strict=True)
        ]

    def _settings(self, row: LoopRow) -> tuple[float | None, int, int]:
        wanted, forced = row.parameters, self._own.forced_eos_token_id is not None
        length = wanted.max_new_tokens if forced else 0
        return wanted.repetition_penalty, length, self._before.get(row, 0)

    def _processors(
        self,
        rows: Sequence[LoopRow],
        inputs: torch.Tensor,
        state: Mapping[str, Any],
        places: Sequence[int],
        before: int,
    ) -> LogitsProcessorList:
        config, wanted = copy.copy(self._own), rows[places[0]].parameters
        length = self._length - before
        config.max_length = length + wanted.max_new_tokens
        if config.min_new_tokens is not None:
            config.min_length = length + config.min_new_tokens
        if wanted.repetition_penalty is not None:
            config.repetition_penalty = float(wanted.repetition_penalty)
        index = torch.tensor(places, device=inputs.device)
        masks = {name: state.get(name) for name in ("attention_mask", "decoder_attention_mask")}
        return self._model._get_logits_processor(  # noqa: SLF001 # no other way to ask
            config,
            input_ids_seq_length=length,
            encoder_input_ids=_without(before, only(inputs, index, len(rows))),
            device=inputs.device,
            model_kwargs={
                name: _without(before, only(mask, index, len(rows))) for name, mask in masks.items()
            },
        )


def _without(before: int, part: Any) -> Any:
    """A tensor (B, T), where there is one, without the padding before its rows."""
    return part if part is None or not before else part[:, before:]


class _Choice:
    """The next token of each row that is left."""

    def __init__(self, rows: Sequence[LoopRow], bends: Bends) -> None:
        self._rows, self._bends = rows, bends
        self._drawn = [place for place, row in enumerate(rows) if row.parameters.draws]
        self._drawing = Drawing([rows[place].warping for place in self._drawn])
        self._adjusted = [(place, row, row.adjust) for place, row in enumerate(rows) if row.adjust]
        self._told = [place for place, row in enumerate(rows) if row.streamer]
        self._top = max((rows[place].parameters.top for place in self._told), default=0)

    def __call__(
        self,
        ids: Any,  # long, as transformers wants them
        scores: torch.Tensor,
        pad: torch.Tensor | None,
    ) -> torch.Tensor:
        """ids: (B, T), scores: (B, V) -> tokens (B,), `pad` for rows that have ended."""
        for places, before, processors in self._bends:
            if len(places) == len(self._rows):
                scores = processors(_without(before, ids), scores)
            elif processors:
                scores[places] = processors(_without(before, ids[places]), scores[places])
        for place, row, adjust in self._adjusted:
            if not row.ended:
                adjust(row.tokens, scores[place])
        own, scores = scores, self._formed(scores)
        tokens = scores.argmax(-1)
        if self._drawn:
            numbers = [self._rows[place].number() for place in self._drawn]
            tokens[self._drawn] = self._drawing(scores[self._drawn], torch.tensor(numbers).double())
        ended = [row.ended for row in self._rows]
        told = self._scored(own, tokens)
        for row, token, score in zip(self._rows, tokens.tolist(), told, strict=True):
            if not row.ended:
                row.add(token, score)
        if any(ended):  # any token would do
            tokens[ended] = 0 if pad is None else pad.to(tokens)
        return tokens

    def _formed(self, scores: torch.Tensor) -> torch.Tensor:
        """Scores without the tokens that rows' grammars do not go on with."""
        rows = [(place, row) for place, row in enumerate(self._rows) if not row.ended]
        followed = [(place, row.follower, row) for place, row in rows if row.follower]
        if not followed:
            return scores
        places = [place for place, _, _ in followed]
        may = [follower.allowed(row.tokens, scores.shape[1]) for _, follower, row in followed]
        formed = scores.clone()
        formed[places] = held(scores[places], may)
        return formed

    def _scored(self, scores: torch.Tensor, tokens: torch.Tensor) -> list[Score | None]:
        """The scores of the tokens that somebody hears of."""
        told: list[Score | None] = [None] * len(self._rows)
        if self._told:
            logprobs = scores[self._told].log_softmax(-1)
            found = scores_of(logprobs, tokens[self._told], self._top)
            for place, score in zip(self._told, found, strict=True):
                told[place] = score
        return told
