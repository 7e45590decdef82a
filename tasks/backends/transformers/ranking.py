from __future__ import annotations

from functools import partial

from ..cross_encoder import pair_length
from ..reading import ranking
from .reading import ReadingBackend
from .whole import find_file


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
