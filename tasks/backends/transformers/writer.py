from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from ....protocol.errors import RowError
from ...base import Task, TaskInput, TaskOutput
from ...text.generation import Generation, GenerationInput
from ...text.tokens import Listener
from ..base import StreamingBackend
from ..company import TEXTS, Probe, Values, apart, turned
from ..device import Device
from ..rows import Decoded, alike
from .base import TransformersBackend
from .generate import Completion, Parameters, budget, first_steps, generate, pad_token, positions


class Prompt(NamedTuple):
    """A row's tokens, how many it may get, and what an encoder-decoder's text starts with."""

    tokens: list[int]
    budget: int
    start: tuple[int, ...] = ()


class Writer(TransformersBackend, StreamingBackend):
    """Models that write text, with one `generate` for all rows of a batch.

    Rows of a batch share their settings (`Task.group_by`), except for seeds.
    """

    tokenizer: Any

    def __init__(
        self,
        task: Task,
        source: str | None,
        *,
        device: Device,
        **parameters: Any,  # the base's own
    ) -> None:
        super().__init__(task, source, device=device, **parameters)
        # Truncation and languages are state of a tokenizer that threads share.
        self._encoding = threading.Lock()

    def load_processor(self) -> None:
        """Load the tokenizer."""
        from transformers import AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(
            self.source, revision=self._revision, trust_remote_code=False
        )

    @abstractmethod
    def encode(self, row: Any) -> list[int]:
        """A row's tokens. Raises RowError."""

    def start(self, row: Any) -> tuple[int, ...]:  # noqa: ARG002 # most texts start alike
        """What an encoder-decoder's text starts with; () for the model's own start."""
        return ()

    def text(self, row: Any, completion: Completion) -> str:  # noqa: ARG002 # most leave it
        """The text to answer."""
        return completion.text

    def stream(
        self, batch: Sequence[TaskInput], listeners: Sequence[Listener | None]
    ) -> list[TaskOutput | RowError]:
        """Write for all readable rows."""
        decoded = Decoded(batch, self._prompt)
        heard = [listeners[place] for place in decoded.places]
        return decoded.answers(self.write(decoded.inputs, decoded.rows, heard))

    def write(
        self,
        inputs: Sequence[Any],
        prompts: Sequence[Prompt],
        listeners: Sequence[Listener | None],
    ) -> list[TaskOutput]:
        """One generate for all rows; rows near to the model's limit have their own.

        A finished row is still moved on while others are written, so all rows of one generate must
        have room for the same number of tokens.
        """
        found: dict[int, TaskOutput] = {}
        batching = self.company.batching
        for group in alike(
            (prompt.budget, len(prompt.start), apart(batching, place, len(prompt.tokens)))
            for place, prompt in enumerate(prompts)
        ):
            outputs = self._generate(
                [inputs[i] for i in group],
                [prompts[i] for i in group],
                [listeners[i] for i in group],
            )
            found.update(zip(group, outputs, strict=True))
        return [found[i] for i in range(len(prompts))]

    def probe(self) -> Probe[list[int]]:
        """Prompts of three lengths; what is compared are the logits of the first new tokens."""
        room = positions(
            self.model, "encoder" if self.model.config.is_encoder_decoder else "decoder"
        )
        most = room // 2 if room else None
        with self._encoding:
            rows = [self.tokenizer(text)["input_ids"][:most] for text in TEXTS]
        rows = [tokens or [0] for tokens in rows]
        return Probe(rows, turned(rows[0]), self._first_steps, self.tolerance)

    def _first_steps(self, rows: Sequence[list[int]]) -> Sequence[Values]:
        with self.forward():
            return first_steps(self.model, self.tokenizer, self.to_device(self._padded(rows)))

    def _prompt(self, row: Any) -> Prompt:
        try:
            with self._encoding:
                tokens, start = self.encode(row), self.start(row)
        except (TypeError, UnicodeError):  # a lone surrogate: JSON can say it, UTF-8 cannot
            raise RowError("the text is not valid Unicode") from None
        if not tokens:
            raise RowError("the text is empty, and this model cannot start from nothing")
        room = budget(self.model, len(tokens), row.max_new_tokens, started=max(1, len(start)))
        return Prompt(tokens, room, start)

    def _generate(
        self,
        inputs: Sequence[Any],
        prompts: Sequence[Prompt],
        listeners: Sequence[Listener | None],
    ) -> list[TaskOutput]:
        tensors = self._padded([prompt.tokens for prompt in prompts])
        if prompts[0].start:
            tensors["decoder_input_ids"] = torch.tensor([prompt.start for prompt in prompts])
        with self.forward():
            completions = generate(
                self.model,
                self.tokenizer,
                self.to_device(tensors),
                parameters_of(inputs[0], prompts[0].budget),
                seeds=[row.seed for row in inputs],
                listeners=listeners,
            )
        return [
            self.output(row, prompt, completion)
            for row, prompt, completion in zip(inputs, prompts, completions, strict=True)
        ]

    def _padded(self, rows: Sequence[list[int]]) -> dict[str, torch.Tensor]:
        """(B, T) each. Decoder-only models go on from the last place, so padding comes first."""
        longest = max(map(len, rows))
        ids = torch.full((len(rows), longest), pad_token(self.model, self.tokenizer))
        mask = torch.zeros_like(ids)
        for row, tokens in enumerate(rows):
            if self.model.config.is_encoder_decoder:
                place = slice(0, len(tokens))
            else:
                place = slice(longest - len(tokens), longest)
            ids[row, place] = torch.tensor(tokens)
            mask[row, place] = 1
        return {"input_ids": ids, "attention_mask": mask}

    def output(self, row: Any, prompt: Prompt, completion: Completion) -> TaskOutput:
        """A row's answer."""
        generation = Generation(
            text=self.text(row, completion),
            finish_reason=completion.finish_reason,
            prompt_tokens=len(prompt.tokens),
            completion_tokens=completion.tokens,
        )
        return self.task.output.model_validate({"generations": [generation]})


def parameters_of(row: GenerationInput, max_new_tokens: int) -> Parameters:
    """How a row wants to be written."""
    return Parameters(
        max_new_tokens=max_new_tokens,
        do_sample=row.do_sample,
        temperature=row.temperature,
        top_p=row.top_p,
        top_k=row.top_k,
        repetition_penalty=row.repetition_penalty,
        num_beams=row.num_beams,
        stop=tuple(row.stop),
    )
