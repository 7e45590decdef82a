from __future__ import annotations

import logging
from typing import Any, NamedTuple

from .....protocol.errors import RowError
from ....base import TaskInput
from ...base import ModelRefused
from ...company import TEXTS, Probe
from ...rows import check_entries
from ...sound.waveform import Samples, decode, noises
from ..generation.generate import Completion
from ..vision.base import Tensors
from .asking_sounds import SoundAsker
from .conversing import IDS, Conversing

log = logging.getLogger(__name__)

#: Types of models, and the auto class of transformers that lists each.
_CLASSES = {
    "audioflamingo3": "AutoModelForSeq2SeqLM",
    "musicflamingo": "AutoModelForSeq2SeqLM",
    "qwen2_audio": "AutoModelForSeq2SeqLM",
}


class AskedSound(NamedTuple):
    """A row as the model takes it, (1, ...) each."""

    tensors: Tensors


class AudioTextToText(Conversing[AskedSound]):
    """What an audio language model answers to a sound and a text, in its chat template's words."""

    reads = "sounds and text"
    asker: SoundAsker

    def load(self) -> None:
        """Load the model. Raises ModelRefused, before the weights are read, for another kind."""
        kind = self.read_config().model_type
        if kind not in _CLASSES:
            raise ModelRefused(
                f"{self.source}: a model of type {kind} does not do this task; it takes "
                f"{', '.join(_CLASSES)}"
            )
        self.auto_class = _CLASSES[kind]
        super().load()

    def load_processor(self) -> None:
        """Load the processor: sounds, tokens, and the chat template that joins them."""
        super().load_processor()
        if not self.processor.chat_template:
            raise ModelRefused(f"{self.source} has no chat template: it cannot be asked anything")
        self.asker = SoundAsker(self.processor, self.model.config.model_type)

    def encode(self, row: TaskInput) -> AskedSound:
        """A row as the model's processor makes it, input_ids (1, T). Raises RowError."""
        inputs: Any = row
        samples = None
        if inputs.audio[0]:
            samples = decode(
                inputs.audio[0],
                inputs.sample_rate,
                rate=self.asker.rate,
                max_seconds=self.task.max_row_cost / 1000,
            )
        encoded = self._processed(samples, inputs.texts[0])
        self.parameters(row, encoded)  # raises
        return AskedSound(encoded)

    def said(self, written: Completion, row: AskedSound) -> str:  # noqa: ARG002 # a text is all there is
        """The text."""
        return written.text.strip()

    def probe(self) -> Probe[Tensors] | None:
        """Texts of three lengths about one sound."""
        noise = noises(self.asker.rate)[0]
        rows = [self._processed(noise, text) for text in TEXTS]
        negative = self._processed(noise[::-1].copy(), TEXTS[0])
        return Probe(rows, negative, self.first_steps, self.tolerance)

    def _processed(self, samples: Samples | None, text: str) -> Tensors:
        if samples is not None and len(samples) > self.asker.longest_s * self.asker.rate:
            raise RowError(f"this model hears {self.asker.longest_s:g} seconds at most")
        try:
            made = self.asker.encode(samples, text)
        except (RuntimeError, ValueError) as error:
            log.info("the processor refused a row: %s", error)
            raise RowError(
                "the model's processor refuses the text"
                + (f" or a sound of {len(samples)} samples" if samples is not None else "")
            ) from None
        if samples is not None and not self.asker.hears(made):
            raise RowError(f"a sound of {len(samples)} samples at {self.asker.rate}/s is too short")
        # Sounds are in windows: the text holds a mark for each of their moments.
        check_entries({IDS: made[IDS]}, 1)
        return made
