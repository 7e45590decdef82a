"""How audio language models are asked about a sound."""

from __future__ import annotations

from typing import Any

from ...sound.waveform import Samples
from ..vision.base import Tensors

#: Types of models whose documentation has the text before the sound.
_TEXT_FIRST = frozenset({"audioflamingo3", "musicflamingo"})


class SoundAsker:
    """A user's message in the processor's chat template, with a sound or without."""

    #: Tensors of tokens that rows of other lengths are padded in, on that side.
    padded: tuple[str, ...] = ("input_ids", "attention_mask")
    side = "left"

    def __init__(self, processor: Any, model_type: str) -> None:
        self._processor, self._text_first = processor, model_type in _TEXT_FIRST
        #: What stands for a moment of a sound in a text.
        self._mark: str = processor.audio_token
        self._mark_id: int = processor.tokenizer.convert_tokens_to_ids(self._mark)
        extractor = processor.feature_extractor
        #: Samples per second that the model wants.
        self.rate: int = extractor.sampling_rate
        #: Seconds beyond which the processor would cut a sound.
        self.longest_s: float = (
            getattr(processor, "max_audio_len", None) or extractor.n_samples / self.rate
        )

    def encode(self, samples: Samples | None, text: str) -> Tensors:
        """A row as the model takes it, (1, ...) each; windows of a sound are (w, ...)."""
        content = [{"type": "text", "text": text.replace(self._mark, "")}]
        if samples is not None:
            content.insert(len(content) if self._text_first else 0, {"type": "audio"})
        prompt = self._processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        heard = {} if samples is None else {"audio": [samples], "sampling_rate": self.rate}
        made = self._processor(text=[prompt], return_tensors="pt", **heard)
        return dict(made)

    def hears(self, made: Tensors) -> bool:
        """Whether anything of a sound is left in its row."""
        return bool((made["input_ids"] == self._mark_id).any())
