from __future__ import annotations

from .....protocol.errors import RowError
from ....text.text_generation import TextGenerationInput
from ..generation.continuous_writer import ContinuousWriter
from ..generation.generate import Completion


class TextGeneration(ContinuousWriter):
    """How an AutoModelForCausalLM goes on."""

    auto_class = "AutoModelForCausalLM"

    def encode(self, row: TextGenerationInput) -> list[int]:
        """The prompt's tokens; for an empty one the token that a text begins after, if any."""
        if row.token_ids:
            return self._known(row.token_ids[0])
        tokens: list[int] = self.tokenizer(row.texts[0])["input_ids"]
        first = self.tokenizer.bos_token_id
        return tokens or ([] if first is None else [first])

    def text(self, row: TextGenerationInput, completion: Completion) -> str:
        """What was generated, behind the prompt if that is wished for."""
        if not row.return_full_text:
            return completion.text
        if row.token_ids:
            prompt: str = self.tokenizer.decode(row.token_ids[0], skip_special_tokens=True)
            return prompt + completion.text
        return row.texts[0] + completion.text

    def _known(self, tokens: list[int]) -> list[int]:
        vocabulary: int = self.model.get_input_embeddings().weight.shape[0]
        if max(tokens) >= vocabulary:
            raise RowError(
                f"token_ids: {max(tokens)} is none of this model's, which has {vocabulary} tokens"
            )
        return tokens
