from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ....base import Task
from ....text.ranking import RankingInput
from ...base import ModelRefused
from ...company import TEXTS
from ...device import Device
from ...text.cross_encoder import pair_length
from ...text.reranker import AskedModel, how_asked
from ...text_encoders import ranking
from ...text_encoders.asked_ranking import AskedRanking
from ...text_encoders.reader import Tokens
from ..whole import find_file, load_whole
from .asked_prompt import asked_prompt, token_ids
from .base import TextBackend
from .reading import ReadingBackend


class Ranking(ReadingBackend):
    """A cross-encoder: an AutoModelForSequenceClassification with one label, or an
    AutoModelForCausalLM that is asked whether a text fits.

    `classifier_from_token` is what such a model answers with: the token that says no, then that
    says yes, or the latter alone. `template` is how it is asked: qwen3-reranker, mxbai-rerank,
    bge-reranker-gemma, or a text with {query} and {document} in it; without, as the folder says,
    or its chat template. `instruction` is that of requests that bring none.
    """

    auto_class = "AutoModelForSequenceClassification"
    reading = ranking.Ranking
    _asked: AskedModel | None = None
    #: What is asked for, (no, yes) or (yes,); none for a model with a head.
    _answers: tuple[int, ...] = ()

    def __init__(
        self,
        task: Task,
        source: str | None,
        *,
        device: Device,
        classifier_from_token: Sequence[str] = (),
        template: str = "",
        instruction: str = "",
        **parameters: Any,  # the base's
    ) -> None:
        super().__init__(task, source, device=device, **parameters)
        if isinstance(classifier_from_token, str):
            raise ValueError(  # noqa: TRY004 # of a declaration, as all its faults are
                f'classifier_from_token {classifier_from_token!r}: use a list, as ["no", "yes"]'
            )
        self._how_asked = partial(
            how_asked,
            classifier_from_token=tuple(classifier_from_token),
            template=template,
            instruction=instruction,
        )

    def load_model(self) -> tuple[Any, list[str]]:
        """Load the weights. Raises ModelRefused for a model that writes, of which nobody says how
        it is asked.
        """
        self._find = partial(find_file, self.name, revision=self._revision)
        self._asked = self._how_asked(self._find, self.name)
        if not (self._asked and self._asked.tokens):
            return super().load_model()
        return load_whole("AutoModelForCausalLM", self.name, **self.loading())

    def load_processor(self) -> None:
        """Load the tokenizer, which cuts where sentence-transformers would.

        Raises ValueError for more than one label, ModelRefused for scores of another kind, or a
        prompt that cannot be made.
        """
        asked = self._asked
        if asked is None:
            super().load_processor()
            longest = pair_length(self._find, self.name)
            self._shorten(longest)
            return
        TextBackend.load_processor(self)
        self._shorten(asked.longest)
        self._answers = token_ids(self.tokenizer, asked.tokens, self.name)
        if self._answers:  # so that a forward's last place is each row's last
            self.tokenizer.padding_side = "left"
        prompt = asked_prompt(self.tokenizer, asked, self.name)
        if asked.instruction and not prompt.takes_instruction:
            raise ModelRefused(f"{self.name}: its prompt has no place for an instruction")
        self._reading = AskedRanking(self.task, self, prompt)

    def _shorten(self, longest: int | None) -> None:
        if longest:
            self.tokenizer.model_max_length = min(longest, self._positions())

    @property
    def classes(self) -> int | None:
        """One for a model that is asked one thing."""
        return 1 if self._answers else super().classes

    def logits(self, sequences: Sequence[Tokens]) -> list[NDArray[np.float32]]:
        """Of each sequence, (1,): by its head, or what the token that says yes is ahead by."""
        if not self._answers:
            return super().logits(sequences)
        return self.infer(sequences, self._ahead)

    def probe_rows(self) -> list[Tokens]:
        """Prompts of three lengths for a model that is asked, a usual one first."""
        if not isinstance(self._reading, AskedRanking):
            return super().probe_rows()
        rows = [RankingInput(queries=[TEXTS[1]], texts=[[text]]) for text in TEXTS]
        queries = [TEXTS[1]] * len(TEXTS)
        return [dict(read.tokens) for read in self._reading.read(rows, queries, TEXTS)]

    def _ahead(self, out: Any, _: Mapping[str, torch.Tensor]) -> torch.Tensor:
        last: torch.Tensor = out.logits[:, -1, list(self._answers)].float()  # (B, 1 or 2)
        return last if last.shape[1] == 1 else last[:, 1:] - last[:, :1]

    def _call(self, tensors: Mapping[str, torch.Tensor]) -> Any:
        """Of a model that is asked, all but the last place's logits are spared."""
        spared = self._answers and "logits_to_keep" in self._takes
        if not spared:
            return super()._call(tensors)
        given = {name: t for name, t in tensors.items() if name in self._takes}
        return self.model(**given, logits_to_keep=1)

    def _padded(self, sequences: Sequence[Tokens]) -> dict[str, torch.Tensor]:
        """(B, T) each. Places are counted from a row's first token, as `generate` does."""
        tensors = super()._padded(sequences)
        if self._answers:
            tensors["position_ids"] = (tensors["attention_mask"].cumsum(-1) - 1).clamp(min=0)
        return tensors
