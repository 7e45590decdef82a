from __future__ import annotations

from ....text.summarization import SummarizationInput
from .text2text_generation import Text2TextGeneration

#: What a chat model is asked.
_QUESTION = "Summarize in one sentence:\n\n"


class Summarization(Text2TextGeneration):
    """Summaries of an AutoModelForSeq2SeqLM, or of a chat model that is asked for them."""

    def load_processor(self) -> None:
        """Load the tokenizer, and take over how the model wants to summarize: beams, lengths."""
        super().load_processor()
        settings = self.settings("summarization")
        self._prefix = str(settings.pop("prefix", _QUESTION if self.asks else ""))
        settings.pop("max_length", None)  # max_new_tokens says it
        self.model.generation_config.update(**settings)

    def prefix(self, row: SummarizationInput) -> str:  # noqa: ARG002 # one prefix for all
        """`summarize: ` for T5, a question for a chat model."""
        return self._prefix
