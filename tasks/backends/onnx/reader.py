from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from ...text.texts import Side
from ..base import ModelRefused
from ..company import TEXTS, Company, Probe, Values, turned
from ..text.lengths import sharing
from ..text.pool import pooled
from ..text.sentences import Sentences, small_letters
from ..text_encoders.reader import Tokens, TruncationStrategy
from .graph import Shapes
from .model import OnnxModel
from .texts import fixed_length, pad_id, token_id

#: A graph's outputs by name, and the mask of its tokens, (B, T), to one entry a sequence.
_Read = Callable[[Mapping[str, NDArray[Any]], NDArray[np.int64]], Iterable[NDArray[np.float32]]]


def reads(inputs: Shapes) -> bool:
    """Whether a graph takes texts, and nothing else."""
    return {*inputs} - {"attention_mask", "token_type_ids"} == {"input_ids"}


def read_sentences(model: OnnxModel, **chosen: Any) -> Sentences:
    """What sentence-transformers wrote into a model's folder, and what was chosen instead."""
    source = str(model.folder)
    sentences = Sentences.read(model.find, source, **chosen)
    if sentences.path:
        raise ModelRefused(
            f"{source}: its transformer is in the folder {sentences.path}; load it with "
            "sentence-transformers and save it again, which puts those files beside modules.json"
        )
    return sentences


class TextReader:
    """A graph that encodes text: `output` is what it gives, `sentences` makes many vectors one."""

    def __init__(
        self, model: OnnxModel, output: str, *, sentences: Sentences | None = None
    ) -> None:
        self.name, self._graph = str(model.folder), model.graph
        self._output, self._sentences = output, sentences or Sentences()
        self._tokenizer = model.tokenizer()
        if self._sentences.lowercase:
            small_letters(self._tokenizer)
        self._cutting = threading.Lock()
        self._pad = pad_id(model, self._tokenizer)
        self._length = fixed_length(model)
        #: The graph's length where that is fixed, else what the model allows.
        self.max_tokens = self._length or model.max_tokens(told=self._sentences.max_tokens)
        told = model.graph.outputs[output][-1:]  # the graph may say how many classes there are
        self.classes = int(told[0]) if told and isinstance(told[0], int) else None
        self._labels_of = model.labels
        self.labels = model.labels(self.classes if output == "logits" else None)
        self.classes = self.classes or len(self.labels) or None
        self.problem_type: str | None = model.config.get("problem_type")
        self.unknown_token = token_id(model, self._tokenizer, "unk_token")
        self._skipped = self._sentences.skipped(self.tokens)
        #: Which rows share a run.
        self.company = Company("one-by-one" if self._graph.rows_alone else "padded")

    @property
    def raw_tokenizer(self) -> Tokenizer:
        """That of tokenizer.json."""
        return self._tokenizer

    def tokens(
        self,
        texts: Sequence[str],
        pairs: Sequence[str] | None = None,
        truncation: TruncationStrategy = "longest_first",
        side: Side = "right",
    ) -> list[Tokens]:
        """Texts, or pairs of them, as tokens, without padding, cut where they are too long."""
        given = list(texts) if pairs is None else list(zip(texts, pairs, strict=True))
        with self._cutting:  # how to cut is the tokenizer's own state
            self._tokenizer.enable_truncation(self.max_tokens, strategy=truncation, direction=side)
            encoded = self._tokenizer.encode_batch(given)
        return [{"input_ids": e.ids, "token_type_ids": e.type_ids} for e in encoded]

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """How many tokens texts have, uncut and without special ones."""
        with self._cutting:
            self._tokenizer.no_truncation()
            encoded = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [len(e.ids) for e in encoded]

    def room(self, *, pair: bool) -> int:
        """How many tokens a text, or a pair together, may have, without special ones."""
        return self.max_tokens - self._tokenizer.num_special_tokens_to_add(pair)

    def pieces(self, text: str, stride: int | None, side: Side = "right") -> list[Encoding]:
        """A text as tokens: cut, or in pieces that share `stride` tokens."""
        with self._cutting:
            self._tokenizer.enable_truncation(
                self.max_tokens, stride=stride or 0, direction=side if stride is None else "right"
            )
            encoded = self._tokenizer.encode(text)
        return [encoded] if stride is None else [encoded, *encoded.overflowing]

    def logits(self, sequences: Sequence[Tokens]) -> list[NDArray[np.float32]]:
        """Of each sequence, (labels,)."""
        return self._named(self._infer(sequences, lambda out, _: out[self._output]))

    def states(self, sequences: Sequence[Tokens]) -> list[NDArray[np.float32]]:
        """The last hidden state of each sequence, (T, D)."""
        return self._infer(sequences, self._real)

    def token_logits(self, sequences: Sequence[Tokens]) -> list[NDArray[np.float32]]:
        """Of each sequence, (T, labels)."""
        return self._named(self._infer(sequences, self._real))

    def prompted(self, texts: Sequence[str]) -> list[str]:
        """Texts behind the model's prompt, as those of which vectors are made are read."""
        return self._sentences.texts(texts)

    def vectors(self, sequences: Sequence[Tokens]) -> NDArray[np.float32]:
        """Of each sequence, (B, D): as the graph pools it, else as `sentences` says."""
        return self._sentences.finished(np.stack(self._infer(sequences, self._pooled)))

    def _named(self, logits: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """The same, their classes named and counted where the graph did not say how many."""
        if logits and logits[0].shape[-1] != self.classes:
            self.labels = self._labels_of(logits[0].shape[-1])
        return logits

    def _real(self, out: Mapping[str, NDArray[Any]], mask: NDArray[np.int64]) -> list[Any]:
        return [row[own > 0] for row, own in zip(out[self._output], mask, strict=True)]

    def _pooled(self, out: Mapping[str, NDArray[Any]], mask: NDArray[np.int64]) -> NDArray[Any]:
        values = out[self._output]
        if values.ndim == 2:
            return values
        vectors: NDArray[np.float32] = pooled(
            values, mask.astype(np.float32), self._sentences.pooling, skip=self._skipped
        )
        return vectors

    def _infer(self, sequences: Sequence[Tokens], read: _Read) -> list[NDArray[np.float32]]:
        """Run sequences, those alike in length together; answer what `read` takes, in order."""
        lengths = [self._length or len(tokens["input_ids"]) for tokens in sequences]
        found: dict[int, NDArray[np.float32]] = {}
        for group in sharing(lengths, self.company.batching):
            arrays = self._padded([sequences[i] for i in group], lengths[group[0]])
            out = {self._output: self._graph.read(self._output, arrays)}
            found.update(zip(group, read(out, arrays["attention_mask"]), strict=True))
        return [found[i] for i in range(len(sequences))]

    def probe(self) -> Probe[Tokens] | None:
        """Texts of three lengths; None where the graph gives all rows one length, or each its own
        run.
        """
        if self._length or self._graph.rows_alone:
            return None
        rows = self.tokens(TEXTS)
        twin = {**rows[0], "input_ids": turned(rows[0]["input_ids"])}
        return Probe(rows, twin, self._probe_outputs)

    def _probe_outputs(self, sequences: Sequence[Tokens]) -> list[Values]:
        longest = max(len(tokens["input_ids"]) for tokens in sequences)
        arrays = self._padded(sequences, longest)
        values = self._graph.run_rows(arrays)[self._output]
        if values.ndim == 2:
            return [[row] for row in values]
        return [[row[own > 0]] for row, own in zip(values, arrays["attention_mask"], strict=True)]

    def _padded(self, sequences: Sequence[Tokens], length: int) -> dict[str, NDArray[np.int64]]:
        """Arrays of (B, length). alike_in_length puts the longest of a group first."""
        ids = np.full((len(sequences), length), self._pad, dtype=np.int64)
        mask, types = np.zeros_like(ids), np.zeros_like(ids)
        for row, tokens in enumerate(sequences):
            own = len(tokens["input_ids"])
            ids[row, :own], types[row, :own] = tokens["input_ids"], tokens["token_type_ids"]
            mask[row, :own] = 1
        return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
