from __future__ import annotations

from ...text.text_generation import TextGenerationInput
from .continuous_writer import ContinuousWriter
from .generate import Completion


class TextGeneration(ContinuousWriter):
    """How an AutoModelForCausalLM goes on."""

    auto_class = "AutoModelForCausalLM"

    def encode(self, row: TextGenerationInput) -> list[int]:
        """The prompt's tokens; for an empty one the token that a text begins after, if any."""
        tokens: list[int] = self.tokenizer(row.texts[0])["input_ids"]
        first = self.tokenizer.bos_token_id
        return tokens or ([] if first is None else [first])

    def text(self, row: TextGenerationInput, completion: Completion) -> str:
        """What was generated, behind the prompt if that is wished for."""
        return row.texts[0] + completion.text if row.return_full_text else completion.text
