from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from .....protocol.errors import RowError
from ....base import Task, TaskInput, TaskOutput
from ....text.texts import Side
from ...base import ModelRefused
from ...company import TEXTS
from ...device import Device
from ...text.pool import pooled
from ...text.sentences import Sentences, small_letters
from ...text_encoders.reader import Reading, SpecialToken, Tokens
from ..whole import find_file
from .base import TextBackend, real_tokens
from .encoder import load_encoder


class ReadingBackend(TextBackend):
    """A text encoder, and the task that is done with it."""

    reading: ClassVar[type[Reading]]
    _sentences = Sentences()
    _skipped = 0

    def load_processor(self) -> None:
        """Load the tokenizer. Raises ValueError for a model that does not fit the task."""
        super().load_processor()
        self._reading = self.reading(self.task, self)

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Answer all readable rows; those alike in length share a forward."""
        return self._reading.run(batch)

    @property
    def name(self) -> str:
        """The source."""
        return str(self.source)

    @property
    def labels(self) -> Mapping[int, str]:
        """id2label of the configuration."""
        return cast("Mapping[int, str]", self.model.config.id2label)

    @property
    def classes(self) -> int | None:
        """How many there are."""
        return cast("int", self.model.config.num_labels)

    @property
    def problem_type(self) -> str | None:
        """What logits mean."""
        return getattr(self.model.config, "problem_type", None)

    @property
    def raw_tokenizer(self) -> Tokenizer:
        """That of a fast tokenizer. Raises ValueError for another."""
        self.needs_offsets()
        return cast("Tokenizer", self.tokenizer.backend_tokenizer)

    @property
    def unknown_token(self) -> int | None:
        """The number of the token for what the tokenizer does not know."""
        return cast("int | None", self.tokenizer.unk_token_id)

    @property
    def mask_token(self) -> SpecialToken | None:
        """What stands for a word to be guessed."""
        number = self.tokenizer.mask_token_id
        return None if number is None else SpecialToken(self.tokenizer.mask_token, number)

    @property
    def pad_token(self) -> int | None:
        """The number of the token that fills rows up."""
        return cast("int | None", self.tokenizer.pad_token_id)

    @property
    def first_token(self) -> int | None:
        """The number of the token that a text begins with."""
        return cast("int | None", self.tokenizer.cls_token_id)

    def bare(self, text: str) -> list[int]:
        """A text's tokens, uncut and without special ones."""
        ids: list[int] = self.encoded(text, add_special_tokens=False)["input_ids"]
        return ids

    def decode(self, ids: Sequence[int], *, special: bool = True) -> str:
        """Tokens as text, special ones too unless they are to be left out."""
        return cast("str", self.tokenizer.decode(list(ids), skip_special_tokens=not special))

    def vocabulary(self) -> Mapping[str, int]:
        """Every token's number."""
        return cast("Mapping[str, int]", self.tokenizer.get_vocab())

    def places(self, text: str) -> list[tuple[int, int]]:
        """Where a text's tokens begin and end, uncut and without special ones."""
        encoded = self.encoded(
            text, add_special_tokens=False, truncation=False, return_offsets_mapping=True
        )
        return list(encoded["offset_mapping"])

    def passages(self, question: str, context: str, *, longest: int, stride: int) -> list[Encoding]:
        """A question with a context, in pieces that share `stride` tokens of the context's."""
        encoded = self.encoded(
            [question],
            [context],
            truncation="only_second",
            max_length=longest,
            stride=stride,
            return_overflowing_tokens=True,
        )
        return list(encoded.encodings)

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """How many tokens texts have, uncut and without special ones."""
        return [*map(len, self.encoded(list(texts), add_special_tokens=False)["input_ids"])]

    def room(self, *, pair: bool) -> int:
        """How many tokens a text, or a pair together, may have, without special ones."""
        special: int = self.tokenizer.num_special_tokens_to_add(pair=pair)
        return self.max_tokens - special

    def pieces(self, text: str, stride: int | None, side: Side = "right") -> list[Encoding]:
        """A text as tokens: cut, or in pieces that share `stride` tokens."""
        split = {} if stride is None else {"return_overflowing_tokens": True, "stride": stride}
        cut_at: Side = side if stride is None else "right"
        return list(self.encoded([text], truncation=True, side=cut_at, **split).encodings)

    def logits(self, sequences: Sequence[Tokens]) -> list[NDArray[np.float32]]:
        """Of each sequence, (labels,)."""
        return self.infer(sequences, _logits)

    def token_logits(self, sequences: Sequence[Tokens]) -> list[NDArray[np.float32]]:
        """Of each sequence, (T, labels)."""
        return self.infer(sequences, _token_logits)

    def states(self, sequences: Sequence[Tokens]) -> list[NDArray[np.float32]]:
        """The last hidden state of each sequence, (T, D)."""
        return self.infer(sequences, _states)

    def span_logits(self, sequences: Sequence[Tokens]) -> list[NDArray[np.float32]]:
        """Of each sequence, where an answer begins and ends, (T, 2)."""
        return self.infer(sequences, _span_logits)

    def gap_logits(self, sequences: Sequence[Tokens], mask: int) -> list[NDArray[np.float32]]:
        """Of each sequence, (masks, V), at the masks alone: all would be B * T * V numbers."""

        def at_masks(out: Any, tensors: Mapping[str, torch.Tensor]) -> Sequence[torch.Tensor]:
            at = tensors["input_ids"] == mask
            logits = out.logits[:, : at.shape[1]]  # Perceiver answers for all places that it has
            return [row[own] for row, own in zip(logits, at, strict=True)]

        return self.infer(sequences, at_masks)

    def prompted(self, texts: Sequence[str], prompt_name: str | None = None) -> list[str]:
        """Texts behind the model's prompt, as those of which vectors are made are read."""
        return self._sentences.texts(texts, prompt_name)

    def vectors(self, sequences: Sequence[Tokens]) -> NDArray[np.float32]:
        """A vector a sequence, (B, D), not of any particular length."""
        return self._sentences.finished(np.stack(self.infer(sequences, self._pooled)))

    def _pooled(self, out: Any, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
        vectors: torch.Tensor = pooled(
            self._hidden(out).float(),
            tensors["attention_mask"].float(),
            self._sentences.pooling,
            skip=self._skipped,
            join=torch.cat,
        )
        return vectors

    def _hidden(self, out: Any) -> torch.Tensor:
        """A vector a token, (B, T, D): the last layer's, or a mean of the layers' by weight."""
        layers, hidden = self._sentences.layers, out.last_hidden_state
        if layers is None:
            return cast("torch.Tensor", hidden)
        weights = torch.from_numpy(layers).to(hidden.device)
        stacked = torch.stack(out.hidden_states[self._sentences.first_layer :])  # (L, B, T, D)
        return torch.einsum("lbtd,l->btd", stacked.float(), weights) / weights.sum()


class EncodingBackend(ReadingBackend):
    """A model without a head: an AutoModel, or the encoder of one that also writes."""

    auto_class = "AutoModel"

    def load(self) -> None:
        """Load the model. Raises ModelRefused for one that makes no vectors of texts alone."""
        super().load()
        try:
            self.states(self.tokens(TEXTS[:1]))
        except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            kind = self.model.config.model_type
            why = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
            raise ModelRefused(
                f"{self.source}: a model of type {kind} makes no vectors of texts alone ({why}); "
                "take an encoder, such as those of sentence-transformers"
            ) from error

    def load_model(self) -> tuple[Any, list[str]]:
        """Load the weights; no pooler is needed, nor a decoder where the encoder stands alone."""
        return load_encoder(str(self.source), **self.loading())


class PoolingBackend(EncodingBackend):
    """One vector a text, from an AutoModel's last hidden state and what modules.json of
    sentence-transformers makes of it.

    `pooling` names another way than the folder's: mean, cls, max, mean_sqrt_len_tokens,
    weightedmean, lasttoken, or several joined by +. `prompt` stands before every text, or the one
    of the folder's that `prompt_name` names, or its default one.
    """

    def __init__(
        self,
        task: Task,
        source: str | None,
        *,
        device: Device,
        pooling: str = "",
        prompt_name: str = "",
        prompt: str | None = None,
        **options: Any,  # those of every model of transformers
    ) -> None:
        super().__init__(task, source, device=device, **options)
        self._root = str(self.source)
        self._read = partial(
            Sentences.read, pooling_name=pooling, prompt_name=prompt_name, prompt=prompt
        )

    def load(self) -> None:
        """Load the model, and what becomes of its vectors.

        Raises ModelRefused for modules that are not served, ValueError for an unknown pooling.
        """
        find = partial(find_file, self._root, revision=self._revision)
        self._sentences = self._read(find, self._root)
        if self._sentences.path:  # as older versions laid folders out
            folder = Path(self._root, self._sentences.path)
            if not folder.is_dir():
                raise ModelRefused(
                    f"{self._root}: its transformer is in the folder {self._sentences.path}, which "
                    "is served from a disk only: download it first"
                )
            self.source = str(folder)
        super().load()

    def load_processor(self) -> None:
        """Load the tokenizer, and have it read texts as the folder says."""
        super().load_processor()
        own = self._sentences
        if own.max_tokens:
            self.tokenizer.model_max_length = min(own.max_tokens, self._positions())
        if own.lowercase:
            small_letters(self.raw_tokenizer)
        if own.layers is not None:
            self.model.config.output_hidden_states = True
        self._skipped = own.skipped(self.tokens)


def _logits(out: Any, _: Mapping[str, torch.Tensor]) -> torch.Tensor:
    logits: torch.Tensor = out.logits
    return logits


def _states(out: Any, tensors: Mapping[str, torch.Tensor]) -> Sequence[torch.Tensor]:
    return real_tokens(out.last_hidden_state, tensors)  # B times (T, D)


def _token_logits(out: Any, tensors: Mapping[str, torch.Tensor]) -> Sequence[torch.Tensor]:
    return real_tokens(out.logits, tensors)  # B times (T, labels)


def _span_logits(out: Any, tensors: Mapping[str, torch.Tensor]) -> Sequence[torch.Tensor]:
    both = torch.stack([out.start_logits, out.end_logits], dim=-1)
    return real_tokens(both, tensors)  # B times (T, 2)
