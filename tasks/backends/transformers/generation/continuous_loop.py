"""Transformers' continuous batching, as this house needs it.

Its manager has a thread that moves all running requests on by a token a step, and lets requests
join and leave between two steps. Here each step holds the device as any batch does, each row picks
its tokens as `generate` would for it, and each hears of its tokens on a queue of its own.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, NamedTuple

import torch
from transformers import ContinuousBatchingConfig, GenerationConfig, LogitsProcessorList
from transformers.generation.continuous_batching.cb_logits_processors import (
    ContinuousBatchingLogitsProcessor,
    ContinuousBatchingLogitsProcessorList,
)
from transformers.generation.continuous_batching.continuous_api import (
    ContinuousBatchingManager,
    OutputRouter,
)

from ...device import Device
from .adjusting import Adjustment
from .grammars import Follower, held
from .scores import Score, scores_of

#: Tokens of one page of the cache; a row fills its last page in part.
PAGE = 32

_numbers = itertools.count()


class News(NamedTuple):
    """What became of a row: all its tokens so far, whether it has ended, or what went wrong."""

    row: RunningRow
    tokens: list[int]
    ended: bool
    error: str | None


@dataclass(slots=True, eq=False, kw_only=True)
class RunningRow:
    """A prompt in the running batch, and what has been made of it."""

    prompt: list[int]
    #: New tokens at most.
    budget: int
    #: Tokens that end it.
    ends: Sequence[int]
    #: Bends a row's scores before its likeliest token is taken: penalties.
    penalties: LogitsProcessorList
    #: Leaves the token that was drawn, if tokens are drawn.
    draw: LogitsProcessorList
    #: What it asks to be added to its scores.
    adjust: Adjustment | None = None
    #: Whether every token is told on `news`, with its logarithmic chance, or only the end.
    streamed: bool
    news: SimpleQueue[News]
    #: Where it is in the grammar that it must follow, if any.
    follower: Follower | None = None
    id: str = field(default_factory=lambda: f"row {next(_numbers)}")
    tokens: list[int] = field(default_factory=list)
    #: Candidates scored with each token that is told.
    top: int = 0
    #: One a token; empty unless `streamed`.
    scores: list[Score] = field(default_factory=list)
    ended: bool = False

    @property
    def bends(self) -> bool:
        """Whether it changes its scores before a token is taken."""
        return bool(self.penalties or self.adjust or self.draw or self.follower)

    def choose(self, before: list[int], scores: torch.Tensor) -> torch.Tensor:
        """Leave the token to take as the likeliest of scores (1, V)."""
        ids: Any = torch.tensor([before], device=scores.device)  # long, as transformers wants it
        scores = self.penalties(ids, scores)
        if self.adjust:
            self.adjust(before[len(self.prompt) :], scores[0])
        formed = scores
        if self.follower:
            made = before[len(self.prompt) :]
            formed = held(scores, [self.follower.allowed(made, scores.shape[1])])
        chosen: torch.Tensor = self.draw(ids, formed)
        if self.streamed:
            self.scores += scores_of(scores.float().log_softmax(-1), chosen.argmax(-1), self.top)
        return chosen


class Loop(ContinuousBatchingManager):  # type: ignore[misc] # transformers is untyped
    """Transformers' manager and its thread, for rows of one model.

    `pages` of the cache hold all rows' tokens; `step_tokens` is what one step may compute, so that
    a long prompt is read in parts between the others' tokens.
    """

    def __init__(self, model: Any, device: Device, *, pages: int, step_tokens: int) -> None:
        settings = ContinuousBatchingConfig(
            page_size=PAGE,
            num_blocks=pages,
            max_batch_tokens=step_tokens,
            max_blocks_per_request=0,
            # What a row sees must not depend on what others left.
            allow_block_sharing=False,
            # Rows choose their tokens in Python, one step after the other.
            use_cuda_graph=False,
            use_async_batching=False,
            auto_switch_to_flash=False,
        )
        super().__init__(model, GenerationConfig(do_sample=False), settings)
        self._device = device
        self.rows: dict[str, RunningRow] = {}
        self.output_router = _Router(self.rows)
        self.logit_processor = ContinuousBatchingLogitsProcessorList(
            LogitsProcessorList([_Choice(self.rows)])
        )
        self.logit_processor.tensors_required = 1
        #: Steps done, and whether one is being done, or prepared for by taking the cache's memory.
        self.steps, self.busy = 0, True

    def start(self) -> None:
        """Start the thread: a daemon, which no exit of the process waits for."""
        self.background_thread_status.clear()
        self._generation_thread = threading.Thread(
            target=self._run_generation_loop, name="continuous batching", daemon=True
        )
        self._generation_thread.start()

    def add(self, row: RunningRow) -> bool:
        """Let a row join at the next step; False when the thread takes no more."""
        self.rows[row.id] = row
        added = self.add_request(
            row.prompt,
            request_id=row.id,
            max_new_tokens=row.budget,
            streaming=row.streamed,
            eos_token_id=list(row.ends),
        )
        return added is not None

    def remove(self, row: RunningRow) -> None:
        """Forget a row, whether it has ended or not."""
        if not row.ended:
            self.cancel_request(row.id)
        self.rows.pop(row.id, None)

    def _create_batch_processor(self) -> Any:
        try:
            with self._device.compute():  # it takes memory, and seeds torch's numbers anew
                return super()._create_batch_processor()
        finally:
            self.busy = False

    def _generation_step(self) -> None:
        self.busy = True
        try:
            with self._device.compute():
                super()._generation_step()
        finally:
            self.steps += 1
            self.busy = False


class _Router(OutputRouter):  # type: ignore[misc] # transformers is untyped
    """Brings what came of a request to its row's queue."""

    def __init__(self, rows: dict[str, RunningRow]) -> None:
        super().__init__()
        self._rows = rows

    def deliver(self, output: Any) -> None:
        """Nobody hears of a row that was removed."""
        row = self._rows.get(output.request_id)
        if row:
            row.news.put(News(row, output.generated_tokens, output.is_finished(), output.error))

    def deliver_batch(self, outputs: list[Any]) -> None:
        """Those of one step."""
        for output in outputs:
            self.deliver(output)


class _Choice(ContinuousBatchingLogitsProcessor):  # type: ignore[misc] # transformers is untyped
    """Lets each row bend its own scores."""

    supported_kwargs: dict[str, type] = {}  # noqa: RUF012 # the base's attribute
    ignored_kwargs = ()

    def __init__(self, rows: dict[str, RunningRow]) -> None:
        self._rows = rows
        self._now: list[tuple[RunningRow | None, list[int]]] = []

    def fill_defaults(self, int32_tensor: torch.Tensor) -> None:
        """Nothing goes by tensor."""

    def prepare_tensor_args(self, requests_with_new_token: list[Any]) -> torch.Tensor:
        """Note which rows get a token in this step, and what they have so far."""
        states = [request.state for request in requests_with_new_token]
        # A request that had to give its cache back has begun anew with its tokens as its prompt.
        self._now = [
            (self._rows.get(state.request_id), state.initial_tokens + state.generated_tokens)
            for state in states
        ]
        return torch.empty(0, dtype=torch.int32)

    def __call__(self, scores: torch.Tensor, tensor_arg: torch.Tensor) -> torch.Tensor:  # noqa: ARG002 # nothing goes by tensor
        """scores: (B, V), of the rows in the order noted."""
        for index, (row, before) in enumerate(self._now):
            if row and (row.streamed or row.bends):
                scores[index] = row.choose(before, scores[index : index + 1])[0]
        return scores
