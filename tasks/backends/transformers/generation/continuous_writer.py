from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from queue import SimpleQueue
from typing import Any, Self

from transformers import LogitsProcessorList, RepetitionPenaltyLogitsProcessor

from .....protocol.errors import RowError
from ....base import Task, TaskOutput
from ....text.tokens import Listener, Token
from ...base import ModelRefused
from ...device import Device
from .adjusting import Adjustment
from .continuous import BrokenLoopError, RunningBatch
from .continuous_loop import News, RunningRow
from .generate import Completion, completion, positions
from .parameters import Parameters
from .sampling import RowSampler, Warping, own_numbers
from .stopping import Stops
from .token_stream import RowStreamer
from .writer import GenerationBackend, Prompt

log = logging.getLogger(__name__)

#: Rows of the model's greatest length that the cache has room for, and its tokens at most, unless
#: the declaration says how many; shorter rows are more.
_CACHE_ROWS, _CACHE_TOKENS = 16, 16_384


class ContinuousWriter(GenerationBackend):
    """Decoders that can write the rows of several batches at once, each row leaving when it ends.

    `continuous` turns that on. `cache_tokens` is how many tokens all running rows may have, 0 for
    16 rows of the model's greatest length, 16,384 at most; `step_tokens` how many one step computes
    at most: a longer prompt is read in several. Beam search, and rows that are longer than the
    cache, are written a batch at a time as ever.
    """

    def __init__(
        self,
        task: Task,
        source: str | None,
        *,
        device: Device,
        continuous: bool = False,
        cache_tokens: int = 0,
        step_tokens: int = 256,
        **parameters: Any,  # the base's own
    ) -> None:
        super().__init__(task, source, device=device, **parameters)
        self._continuous = continuous
        self._cache_tokens, self._step_tokens = cache_tokens, step_tokens
        self._running: RunningBatch | None = None

    def load(self) -> None:
        """Load the model. Raises ModelRefused for one that cannot be batched continuously."""
        super().load()
        if not self._continuous:
            return
        try:
            check_continuous(self.model)
        except ValueError as error:
            raise self._refusal(error) from None
        longest = positions(self.model, "decoder") or _CACHE_TOKENS
        room = self._cache_tokens or min(longest * _CACHE_ROWS, _CACHE_TOKENS)
        running = RunningBatch(
            self.model, self.device, cache_tokens=room, step_tokens=self._step_tokens
        )
        try:
            _try(running)
        except Exception as error:  # whatever transformers' loop says of layers it does not know
            running.close()
            raise self._refusal(error) from error
        self._running = running

    def find_company(self) -> None:
        """Try rows in company. Raises ModelRefused where they must be kept apart: here none are."""
        super().find_company()
        if self._running and self.company.batching != "padded":
            self._running.close()
            raise self._refusal(self.company.note)

    def _refusal(self, why: object) -> ModelRefused:
        text = " ".join(str(why).split())
        return ModelRefused(
            f"{self.source} cannot be batched continuously: {text}; leave `continuous` out"
        )

    def close(self) -> None:
        """End the running batch, and drop the model."""
        if self._running:
            self._running.close()
        super().close()

    def write(
        self,
        inputs: Sequence[Any],
        prompts: Sequence[Prompt],
        listeners: Sequence[Listener | None],
    ) -> list[TaskOutput | RowError]:
        """Let the rows join the running batch, but for those that cannot. Should it break, a batch
        of these rows alone answers those that are left, or finds the row at fault.
        """
        running = self._running
        joining = [
            running is not None and self._joins(*row) for row in zip(inputs, prompts, strict=True)
        ]
        if running is None or not any(joining):
            return super().write(inputs, prompts, listeners)
        heard = [listener and _Resumed(listener) for listener in listeners]
        places = [i for i, joins in enumerate(joining) if joins]
        followed = self._follow(
            running,
            [inputs[i] for i in places],
            [prompts[i] for i in places],
            [heard[i] for i in places],
        )
        found = dict(zip(places, followed, strict=True))
        left = [i for i in range(len(inputs)) if found.get(i) is None]
        anew = [listener and listener.again() for listener in heard]
        again = super().write(
            [inputs[i] for i in left], [prompts[i] for i in left], [anew[i] for i in left]
        )
        found.update(zip(left, again, strict=True))
        return [output for _, output in sorted(found.items()) if output is not None]

    def _follow(
        self,
        running: RunningBatch,
        inputs: Sequence[Any],
        prompts: Sequence[Prompt],
        listeners: Sequence[Listener | None],
    ) -> list[TaskOutput | RowError | None]:
        """The rows' answers; None for a row that was left when the running batch broke."""
        news: SimpleQueue[News] = SimpleQueue()
        texts = [self._text(*row, news) for row in zip(prompts, listeners, strict=True)]
        by_row = {text.row: text for text in texts}
        try:
            with closing(running.follow(list(by_row), news)) as grown:
                for row in grown:
                    row.ended = by_row[row].ends()
        except BrokenLoopError:
            log.exception("the running batch broke")
        for text in texts:
            if text.row.ended:
                text.end()
        return [
            self.answer(row, prompt, text.completion(self.tokenizer)) if text.row.ended else None
            for row, prompt, text in zip(inputs, prompts, texts, strict=True)
        ]

    def _joins(self, row: Any, prompt: Prompt) -> bool:
        room = self._running.capacity if self._running else 0
        fits = len(prompt.tokens) + prompt.budget <= room
        return fits and prompt.budget > 0 and (row.num_beams or 1) == 1

    def _text(self, prompt: Prompt, listener: Listener | None, news: SimpleQueue[News]) -> _Text:
        wanted = prompt.parameters
        stops = Stops.of(self.model, self.tokenizer, wanted.stop)
        streamer = listener and RowStreamer(
            listener, self.tokenizer, prompt.tokens, stops, wanted.opening
        )
        made = RunningRow(
            prompt=prompt.tokens,
            budget=prompt.budget,
            ends=sorted(stops.end_tokens),
            penalties=_penalties(self.model, wanted),
            adjust=Adjustment.of(wanted, stops.end_tokens),
            draw=_draw(self.model, wanted, len(prompt.tokens)),
            streamed=streamer is not None or bool(stops.strings),
            top=wanted.top,
            news=news,
            follower=wanted.grammar.follower() if wanted.grammar else None,
        )
        return _Text(made, stops, streamer)


class _Text:
    """A row's text as it grows, for the thread that follows it."""

    def __init__(self, row: RunningRow, stops: Stops, streamer: RowStreamer | None) -> None:
        self.row, self.stops, self._streamer = row, stops, streamer
        self._seen = 0

    def completion(self, tokenizer: Any) -> Completion:
        """What has come of it."""
        row = self.row
        made = completion(tokenizer, self.stops, row.prompt, row.tokens)
        return replace(made, fault=row.follower.fault if row.follower else "")

    def ends(self) -> bool:
        """Look at what is new, and tell it; answers whether that is the end."""
        for place in range(self._seen, len(self.row.tokens)):
            self._seen = place + 1
            if self._streamer:
                self._streamer.add(self.row.tokens[place], *self.row.scores[place])
                if self._streamer.ended or self._streamer.gone:
                    return True
            elif self.stops.ends_in_string(self.row.tokens[: place + 1]):
                return True
        return False

    def end(self) -> None:
        """Tell what was held back."""
        if self._streamer:
            self._streamer.end()


class _Resumed:
    """A listener of a row that may be written anew: what it has heard it does not hear again."""

    def __init__(self, listener: Listener) -> None:
        self._listener, self._heard, self._at = listener, 0, 0

    def __call__(self, token: Token) -> bool:
        self._at += 1
        if self._at <= self._heard:
            return True
        self._heard = self._at
        return self._listener(token)

    def again(self) -> Self:
        """Itself, for the row from its first token on."""
        self._at = 0
        return self


def check_continuous(model: Any) -> None:
    """Raise ValueError for a model whose rows `Row.choose` would not write as `generate` does."""
    own = copy.deepcopy(model.generation_config)
    own.update(do_sample=False, repetition_penalty=None)
    steps = model._get_logits_processor(own, 1, device="cpu")  # noqa: SLF001 # no other way to ask
    asked = [type(step).__name__ for step in steps]
    if (own.num_beams or 1) > 1:
        asked.append("beam search")
    if model.config._attn_implementation == "eager":  # noqa: SLF001 # the name it goes by
        asked.append("eager attention")  # the loop would change it, also for `generate`
    if asked:
        raise ValueError(f"it needs {', '.join(asked)}")


def _try(running: RunningBatch) -> None:
    """Write two tokens behind two prompts: what this cannot do is found when it is loaded.

    The second token is the first that looks back (StableLM keeps a cache of its own). Raises
    BrokenLoopError, or what transformers says of layers that it does not know.
    """
    news: SimpleQueue[News] = SimpleQueue()
    none = LogitsProcessorList()
    rows = [
        RunningRow(
            prompt=[0] * length,
            budget=2,
            ends=(),
            penalties=none,
            draw=none,
            streamed=False,
            news=news,
        )
        for length in (3, 1)
    ]
    list(running.follow(rows, news))


def _penalties(model: Any, wanted: Parameters) -> LogitsProcessorList:
    penalty = wanted.repetition_penalty
    if penalty is None:
        penalty = model.generation_config.repetition_penalty
    if penalty is None or penalty == 1:
        return LogitsProcessorList()
    return LogitsProcessorList([RepetitionPenaltyLogitsProcessor(float(penalty))])


def _draw(model: Any, wanted: Parameters, start: int) -> LogitsProcessorList:
    if not wanted.draws:
        return LogitsProcessorList()
    warping = Warping.of(model.generation_config, wanted)
    numbers = own_numbers([wanted.seed], wanted.max_new_tokens)
    return LogitsProcessorList([RowSampler(warping, numbers, start)])
