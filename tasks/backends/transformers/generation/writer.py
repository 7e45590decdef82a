from __future__ import annotations

import functools
import threading
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch

from .....protocol.errors import RowError
from ....base import Task, TaskInput, TaskOutput
from ....text.form_grammars import form_grammar
from ....text.generation import Generation, GenerationInput, GenerationOutput
from ....text.tokens import Listener
from ...base import StreamingBackend
from ...company import TEXTS, Probe, Values, apart, turned
from ...device import Device
from ...rows import Decoded, alike
from ...text.cut import Truncation, warned
from ..base import TransformersBackend
from ..chunks import lengthened
from ..tokenizer import embedded, load_tokenizer
from .generate import (
    Completion,
    beams,
    company_of,
    first_steps,
    generate,
    pad_token,
    positions,
    room_of,
    within,
    writer,
)
from .grammars import Grammars
from .parameters import Parameters
from .prompt_scores import check_scorable, prompt_scores
from .stopping import Stops
from .token_stream import TokenRecorder, scored_prompt


class Prompt(NamedTuple):
    """A row's tokens, how it is written, what an encoder-decoder's text starts with, and what of
    the row was cut.
    """

    tokens: list[int]
    parameters: Parameters
    start: tuple[int, ...] = ()
    cut: Truncation | None = None

    @property
    def budget(self) -> int:
        """New tokens at most."""
        return self.parameters.max_new_tokens


class GenerationBackend(TransformersBackend, StreamingBackend):
    """Models that write text, with one `generate` for all rows of a batch.

    Each row has its own settings; those of beam search share one call with rows that ask alike.
    """

    rows_have_own = True
    follows_forms = True
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
        self.tokenizer = load_tokenizer(
            str(self.source), revision=self._revision, config=self.model.config
        )

    @abstractmethod
    def encode(self, row: Any) -> list[int]:
        """A row's tokens. Raises RowError."""

    def cut(self, row: Any, tokens: list[int]) -> Truncation | None:  # noqa: ARG002 # most are refused
        """What `encode` left out."""
        return None

    def start(self, row: Any) -> tuple[int, ...]:  # noqa: ARG002 # most texts start alike
        """What an encoder-decoder's text starts with; () for the model's own start."""
        return ()

    def text(self, row: Any, completion: Completion) -> str:  # noqa: ARG002 # most leave it
        """The text to answer."""
        return completion.text

    def stream(
        self, batch: Sequence[TaskInput], listeners: Sequence[Listener | None]
    ) -> list[TaskOutput | RowError]:
        """Write for all readable rows, and keep the tokens of those that want logprobs."""
        decoded = Decoded(batch, self._prompt)
        rows: list[Any] = decoded.inputs  # generating tasks' own
        listening: list[Listener | None] = [
            TokenRecorder(listeners[place]) if row.logprobs is not None else listeners[place]
            for place, row in zip(decoded.places, rows, strict=True)
        ]
        self._score_prompts(rows, decoded.rows, listening)
        outputs = self.write(rows, decoded.rows, listening)
        return decoded.answers([_with_tokens(*row) for row in zip(outputs, listening, strict=True)])

    def _score_prompts(
        self,
        inputs: Sequence[Any],
        prompts: Sequence[Prompt],
        listeners: Sequence[Listener | None],
    ) -> None:
        """Tell the prompts' tokens of the rows that want them, before anything is written."""
        wanted = [i for i, row in enumerate(inputs) if getattr(row, "prompt_logprobs", False)]
        if not wanted:
            return
        with self.forward():
            scores = prompt_scores(
                self.model,
                [prompts[i].tokens for i in wanted],
                [prompts[i].parameters.top for i in wanted],
            )
        for i, row in zip(wanted, scores, strict=True):
            for token in scored_prompt(self.tokenizer, prompts[i].tokens, row):
                if listener := listeners[i]:
                    listener(token)

    def write(
        self,
        inputs: Sequence[Any],
        prompts: Sequence[Prompt],
        listeners: Sequence[Listener | None],
    ) -> list[TaskOutput | RowError]:
        """One generate for all rows that may share one."""
        found: dict[int, TaskOutput | RowError] = {}
        batching = self.company.batching
        companies = company_of(self.model, [prompt.parameters for prompt in prompts])
        for group in alike(
            (
                companies[place],
                prompt.budget > 0,
                len(prompt.start),
                apart(batching, place, len(prompt.tokens)),
            )
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
        for row, half in enumerate((True, False)):
            rows[row] = lengthened(rows[row], self.model.config, most, half=half)
        return Probe(rows, turned(rows[0]), self._first_steps, self.tolerance)

    def _first_steps(self, rows: Sequence[list[int]]) -> Sequence[Values]:
        with self.forward():
            return first_steps(self.model, self.tokenizer, self.to_device(self._padded(rows)))

    def _prompt(self, row: Any) -> Prompt:
        if beams(self.model, parameters_of(row)) > 1:
            _check_beams(row)
        with self._encoding:
            tokens, start = self.encode(row), self.start(row)
            cut = self.cut(row, tokens)
        if not tokens:
            raise RowError("the text is empty, and this model cannot start from nothing")
        # A tokenizer may know more: Gemma 3 of text alone has a token for images. On a GPU, what
        # lies beyond the embedding ends the process.
        known = embedded(self.model.config)
        if known is not None and max(tokens) >= known:
            raise RowError(f"the text holds the token {max(tokens)}; this model knows {known}")
        _check_bias(row, known)
        room = room_of(self.model, len(tokens), row.max_new_tokens, started=max(1, len(start)))
        if getattr(row, "prompt_logprobs", False):
            check_scorable(self.model, len(tokens))
        return Prompt(tokens, self.formed(row, parameters_of(row, room)), start, cut)

    def formed(self, row: Any, parameters: Parameters) -> Parameters:
        """How a row is written, with the form that it must have. Raises RowError."""
        form = getattr(row, "structured_outputs", None)
        if form is None:
            return parameters
        field = "structured_outputs"
        return self.held_to(form_grammar(form, field), field, parameters)

    def held_to(self, grammar: str, field: str, parameters: Parameters) -> Parameters:
        """The same, held to a grammar that comes of a field. Raises RowError."""
        if beams(self.model, parameters) > 1:
            raise RowError(f"{field}: the model's beam search follows no form; use num_beams 1")
        return replace(parameters, grammar=self.grammars.compiled(grammar, field))

    @functools.cached_property
    def grammars(self) -> Grammars:
        """The grammars that texts of this model were held to."""
        own = Stops.of(writer(self.model), self.tokenizer, ())
        return Grammars(self.tokenizer, embedded(self.model.config) or 0, own.end_tokens)

    def _generate(
        self,
        inputs: Sequence[Any],
        prompts: Sequence[Prompt],
        listeners: Sequence[Listener | None],
    ) -> list[TaskOutput | RowError]:
        if not prompts[0].budget:
            nothing = Completion("", "length", 0)
            return [self.output(*row, nothing) for row in zip(inputs, prompts, strict=True)]
        tensors = self._padded([prompt.tokens for prompt in prompts])
        if prompts[0].start:
            tensors["decoder_input_ids"] = torch.tensor([prompt.start for prompt in prompts])
        with self.forward():
            completions = generate(
                self.model,
                self.tokenizer,
                self.to_device(tensors),
                [prompt.parameters for prompt in prompts],
                listeners=listeners,
            )
        return [
            self.answer(row, prompt, completion)
            for row, prompt, completion in zip(inputs, prompts, completions, strict=True)
        ]

    def answer(self, row: Any, prompt: Prompt, completion: Completion) -> TaskOutput | RowError:
        """A row's answer, or why it has none."""
        if completion.fault:
            return RowError(f"structured_outputs: {completion.fault}")
        return self.output(row, prompt, completion)

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
        output = self.task.output.model_validate({"generations": [generation]})
        return warned(output, [prompt.cut])


def _check_beams(row: GenerationInput) -> None:
    """Raise RowError for what the model's own beam search does not do."""
    if row.logprobs is not None:
        raise RowError("logprobs: the model's beam search tells no tokens; use num_beams 1")
    if asked := row.row_by_row():
        raise RowError(f"{asked[0]}: the model's beam search knows none; use num_beams 1")


def _check_bias(row: GenerationInput, known: int | None) -> None:
    """Raise RowError for a token that the model has not."""
    most = max(map(int, row.logit_bias or ()), default=-1)
    if known is not None and most >= known:
        raise RowError(f"logit_bias: there is no token {most}; this model knows {known}")


def parameters_of(row: GenerationInput, room: int | None = None) -> Parameters:
    """How a row wants to be written, by a model that has room for so many tokens."""
    return Parameters(
        max_new_tokens=within(row.max_new_tokens, room),
        do_sample=row.do_sample,
        temperature=row.temperature,
        top_p=row.top_p,
        top_k=row.top_k,
        typical_p=row.typical_p,
        repetition_penalty=row.repetition_penalty,
        presence_penalty=row.presence_penalty or 0.0,
        frequency_penalty=row.frequency_penalty or 0.0,
        logit_bias=tuple((int(token), bias) for token, bias in (row.logit_bias or {}).items()),
        min_new_tokens=row.min_new_tokens or 0,
        num_beams=row.num_beams,
        stop=tuple(row.stop),
        seed=row.seed,
        top=row.logprobs or 0,
        room=room,
    )


def _with_tokens(output: TaskOutput | RowError, listener: Listener | None) -> TaskOutput | RowError:
    """A row's answer, with its tokens where they were kept."""
    if not isinstance(listener, TokenRecorder) or isinstance(output, RowError):
        return output
    assert isinstance(output, GenerationOutput)
    [generation] = output.generations
    kept = generation.model_copy(update={"tokens": tuple(listener.tokens)})
    return output.model_copy(update={"generations": [kept]})
