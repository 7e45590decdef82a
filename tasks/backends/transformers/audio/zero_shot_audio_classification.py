from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from .....protocol.errors import RowError
from ....base import TaskInput, TaskOutput
from ...base import ModelRefused
from ...classify import softmax
from ...rows import Decoded
from ...sound.waveform import Samples
from ..multimodal.label_sentences import LabelSentences
from ..multimodal.side_texts import SideTexts
from ..tokenizer import load_tokenizer
from .base import AudioBackend, Tensors

#: Held while extractors draw: numpy has one state for all threads.
_DRAWING = threading.Lock()


class ZeroShotAudioClassification(AudioBackend):
    """CLAP: sounds and sentences in one space. Of a long sound it hears parts, always the same."""

    auto_class = "AutoModel"
    tokenizer: Any

    def load_processor(self) -> None:
        """Load the feature extractor and the tokenizer.

        Raises ModelRefused for a model that does not hold sounds against texts.
        """
        if not hasattr(self.model, "get_audio_features"):
            kind = self.model.config.model_type
            raise ModelRefused(
                f"{self.source}: a {kind} does not hold sounds against texts, as CLAP"
            )
        super().load_processor()
        config = self.model.config.text_config
        self.tokenizer = load_tokenizer(
            str(self.source), revision=self._revision, config=self.model.config
        )
        # RoBERTa's positions begin after that of its padding.
        positions = config.max_position_embeddings - (config.pad_token_id or 0) - 1
        self._texts = SideTexts(self.tokenizer, positions)

    def extract(self, samples: Samples) -> Tensors:
        """A sound as CLAP's extractor makes it, which draws what it takes of a long one."""
        with _drawn_alike():
            return super().extract(samples)

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """One forward for all readable rows."""
        decoded = Decoded(batch, lambda row: self.extract(self.samples(row)))
        found: dict[int, TaskOutput | RowError] = {}
        for positions, tensors in self.batches(decoded.rows):
            sentences = LabelSentences(self.task, [decoded.inputs[i] for i in positions])
            encoded, lost = self._texts(sentences.union)
            with self.forward():
                out = self.model(**self.to_device({**tensors, **encoded}))
                logits = out.logits_per_audio.float().cpu().numpy()
            answers = sentences.answers(logits, softmax, lost)
            found.update(zip(positions, answers, strict=True))
        return decoded.answers([found[i] for i in range(len(decoded.rows))])


@contextmanager
def _drawn_alike() -> Iterator[None]:
    """Have numpy draw the same in here each time, and leave its state to others as it was."""
    with _DRAWING:
        state = np.random.get_state()  # what extractors draw from
        np.random.seed(0)  # likewise
        try:
            yield
        finally:
            np.random.set_state(state)  # likewise
