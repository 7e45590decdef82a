from __future__ import annotations

from functools import partial

from ...text.cross_encoder import pair_length
from ...text_encoders import ranking
from ..whole import find_file
from .reading import ReadingBackend


class Ranking(ReadingBackend):
    """A cross-encoder: an AutoModelForSequenceClassification with one label."""

    auto_class = "AutoModelForSequenceClassification"
    reading = ranking.Ranking

    def load_processor(self) -> None:
        """Load the tokenizer, which cuts where sentence-transformers would.

        Raises ValueError for more than one label, ModelRefused for scores of another kind.
        """
        super().load_processor()
        longest = pair_length(partial(find_file, self.name, revision=self._revision), self.name)
        if longest:
            self.tokenizer.model_max_length = min(longest, self._positions())
