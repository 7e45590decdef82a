from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from ...text.texts import Side
from ..base import ModelRefused
from ..company import TEXTS, Company, Probe, Values, turned
from ..text.lengths import sharing
from ..text.pool import pooled
from ..text.sentences import Sentences, small_letters
from ..text_encoders.reader import SpecialToken, Tokens, TruncationStrategy, tokens_of
from .checks import finite
from .graph import Arrays, Shapes
from .model import OnnxModel
from .texts import fixed_length, pad_id, token_id

#: What a graph answers, and the mask of its tokens, (B, T), to one entry a sequence.
_Read = Callable[[NDArray[Any], NDArray[np.int64]], Iterable[NDArray[np.float32]]]

#: Spaces that transformers leaves out of decoded texts, where a tokenizer's settings say so.
_SPACES = (
    *((" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't")),
    *((" 'm", "'m"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re")),
)


def reads(inputs: Shapes) -> bool:
    """Whether a graph takes texts, and nothing else."""
    return {*inputs} - {"attention_mask", "token_type_ids"} == {"input_ids"}


def read_sentences(model: OnnxModel, **chosen: Any) -> Sentences:
    """What sentence-transformers wrote into a model's folder, and what was chosen instead.

    Raises ModelRefused.
    """
    source = str(model.folder)
    sentences = Sentences.read(model.find, source, **chosen)
    if sentences.path:
        raise ModelRefused(
            f"{source}: its transformer is in the folder {sentences.path}; load it with "
            "sentence-transformers and save it again, which puts those files beside modules.json"
        )
    return sentences


class TextReader:
    """A graph that encodes text: `output` is what it gives, `sentences` makes many vectors one.

    Several outputs are read as one more axis. `labelled` says whether logits are of labels, which
    the folder names. `length` is what every text is filled up to.
    """

    def __init__(
        self,
        model: OnnxModel,
        *outputs: str,
        sentences: Sentences | None = None,
        labelled: bool = True,
        length: int | None = None,
    ) -> None:
        self.name, self._graph = str(model.folder), model.graph
        self._outputs, self._sentences = outputs, sentences or Sentences()
        self._tokenizer = model.tokenizer()
        if self._sentences.lowercase:
            small_letters(self._tokenizer)
        self._cutting = threading.Lock()
        self._pad = pad_id(model, self._tokenizer)
        self._length = fixed_length(model.graph) or length
        #: The graph's length where that is fixed, else what the model allows.
        self.max_tokens = self._length or model.max_tokens(told=self._sentences.max_tokens)
        told = model.graph.outputs[outputs[0]][-1:]  # the graph may say how many classes there are
        self.classes = int(told[0]) if told and isinstance(told[0], int) else None
        self._labels_of = model.labels
        counted = labelled and outputs == ("logits",)
        self.labels = model.labels(self.classes if counted else None)
        self.classes = self.classes or len(self.labels) or None
        self.problem_type: str | None = model.config.get("problem_type")
        self.unknown_token = token_id(model, self._tokenizer, "unk_token")
        self.first_token = token_id(model, self._tokenizer, "cls_token")
        self.pad_token: int | None = self._pad
        mask = token_id(model, self._tokenizer, "mask_token")
        text = None if mask is None else self._tokenizer.id_to_token(mask)
        self.mask_token = None if mask is None or text is None else SpecialToken(text, mask)
        settings = model.read_json("tokenizer_config.json")
        self._cleans = settings.get("clean_up_tokenization_spaces") is True
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
        truncation: TruncationStrategy | Literal[False] = "longest_first",
        side: Side = "right",
    ) -> list[Tokens]:
        """Texts, or pairs of them, as tokens, without padding, cut where they are too long unless
        that is not wished for.
        """
        given = list(texts) if pairs is None else list(zip(texts, pairs, strict=True))
        with self._cutting:  # how to cut is the tokenizer's own state
            if truncation:
                self._tokenizer.enable_truncation(
                    self.max_tokens, strategy=truncation, direction=side
                )
            else:
                self._tokenizer.no_truncation()
            encoded = self._tokenizer.encode_batch(given)
        return [tokens_of(piece) for piece in encoded]

    def bare(self, text: str) -> list[int]:
        """A text's tokens, uncut and without special ones."""
        return self._bare([text])[0].ids

    def places(self, text: str) -> list[tuple[int, int]]:
        """Where a text's tokens begin and end, uncut and without special ones."""
        return self._bare([text])[0].offsets

    def decode(self, ids: Sequence[int], *, special: bool = True) -> str:
        """Tokens as text, as transformers writes it."""
        text = self._tokenizer.decode(list(ids), skip_special_tokens=not special)
        if self._cleans and type(self._tokenizer.model).__name__ != "BPE":
            for space, without in _SPACES:
                text = text.replace(space, without)
        return text

    def vocabulary(self) -> Mapping[str, int]:
        """Every token's number."""
        return self._tokenizer.get_vocab(with_added_tokens=True)

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """How many tokens texts have, uncut and without special ones."""
        return [len(e.ids) for e in self._bare(texts)]

    def _bare(self, texts: Sequence[str]) -> list[Encoding]:
        with self._cutting:
            self._tokenizer.no_truncation()
            return self._tokenizer.encode_batch(list(texts), add_special_tokens=False)

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

    def passages(self, question: str, context: str, *, longest: int, stride: int) -> list[Encoding]:
        """A question with a context, in pieces that share `stride` tokens of the context's."""
        with self._cutting:
            self._tokenizer.enable_truncation(longest, stride=stride, strategy="only_second")
            encoded = self._tokenizer.encode(question, context)
        return [encoded, *encoded.overflowing]

    def span_logits(self, sequences: Sequence[Tokens]) -> list[NDArray[np.float32]]:
        """Of each sequence, where an answer begins and ends, (T, 2)."""
        return self._infer(sequences, self._real)

    def gap_logits(self, sequences: Sequence[Tokens], mask: int) -> list[NDArray[np.float32]]:
        """Of each sequence, (masks, V), at its tokens of that number."""
        whole = self._infer(sequences, self._real)
        at = [np.array(tokens["input_ids"]) == mask for tokens in sequences]
        return [values[own] for values, own in zip(whole, at, strict=True)]

    def logits(self, sequences: Sequence[Tokens]) -> list[NDArray[np.float32]]:
        """Of each sequence, (labels,)."""
        return self._named(self._infer(sequences, lambda values, _: values))

    def states(self, sequences: Sequence[Tokens]) -> list[NDArray[np.float32]]:
        """The last hidden state of each sequence, (T, D)."""
        return self._infer(sequences, self._real)

    def token_logits(self, sequences: Sequence[Tokens]) -> list[NDArray[np.float32]]:
        """Of each sequence, (T, labels)."""
        return self._named(self._infer(sequences, self._real))

    def prompted(self, texts: Sequence[str], prompt_name: str | None = None) -> list[str]:
        """Texts behind the model's prompt, as those of which vectors are made are read."""
        return self._sentences.texts(texts, prompt_name)

    def vectors(self, sequences: Sequence[Tokens]) -> NDArray[np.float32]:
        """Of each sequence, (B, D): as the graph pools it, else as `sentences` says."""
        return self._sentences.finished(np.stack(self._infer(sequences, self._pooled)))

    def _named(self, logits: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """The same, their classes named and counted where the graph did not say how many."""
        if logits and logits[0].shape[-1] != self.classes:
            self.labels = self._labels_of(logits[0].shape[-1])
        return logits

    def _real(self, values: NDArray[Any], mask: NDArray[np.int64]) -> list[Any]:
        return [row[own > 0] for row, own in zip(values, mask, strict=True)]

    def _pooled(self, values: NDArray[Any], mask: NDArray[np.int64]) -> NDArray[Any]:
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
            values = self._read(arrays)
            found.update(zip(group, read(values, arrays["attention_mask"]), strict=True))
        return [found[i] for i in range(len(sequences))]

    def _read(self, arrays: Arrays) -> NDArray[Any]:
        """The output that is read; of several, one more axis."""
        out = self._graph.run_rows(arrays)
        read = [finite(out[name], name) for name in self._outputs]
        return read[0] if len(read) == 1 else np.stack(read, axis=-1)

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
        values = self._read(arrays)
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
