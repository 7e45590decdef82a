"""Forms that texts are held to: grammars that llguidance compiles, and where each row is in one.

A grammar is compiled once for a tokenizer; each row follows a copy. In every step those tokens
lose their chance that the grammar does not go on with. A row whose grammar has come to its end, or
to no good, can only end.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .....protocol.errors import RowError
from ....text.form_grammars import library, short

#: Compiled grammars kept for a model; each takes from some kB to a few MB.
_KEPT = 64


class Grammar:
    """A compiled grammar, and the tokens that may end a text which follows it."""

    def __init__(self, matcher: Any, ends: Sequence[int]) -> None:
        self._matcher, self._ends = matcher, list(ends)

    def follower(self) -> Follower:
        """A row at its beginning."""
        return Follower(self._matcher.deep_copy(), self._ends)


class Follower:
    """A row in its grammar."""

    def __init__(self, matcher: Any, ends: Sequence[int]) -> None:
        self._matcher, self._ends, self._seen = matcher, ends, 0
        #: Why the row cannot be gone on with; "" while it can.
        self.fault = ""

    def allowed(self, tokens: Sequence[int], size: int) -> NDArray[np.bool_]:
        """Which of so many tokens may follow those that were made: (size,)."""
        for token in tokens[self._seen :]:
            if not self.fault and not self._matcher.consume_token(token):
                self._fail()
        self._seen = len(tokens)
        may = np.zeros(size, np.bool_)
        if not self.fault and not self._matcher.is_stopped():
            packed = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
            if self._matcher.is_error():
                self._fail()
            else:
                bits = np.unpackbits(packed, bitorder="little")[:size]
                may[: len(bits)] = bits
        ending = bool(self.fault) or self._matcher.is_accepting()
        may[self._ends] = ending
        if not may.any():
            self.fault, may[self._ends] = "no token can follow", True
        return may

    def _fail(self) -> None:
        self.fault = short(self._matcher.get_error()) or "the text left its form"


def held(scores: torch.Tensor, may: Sequence[NDArray[np.bool_]]) -> torch.Tensor:
    """Scores (B, V) without those that may not be taken, (V,) a row; a copy.

    A form goes before all else that was asked: where that has left no chance to any token that may
    be taken, such as the end of a text with a least length, these are alike.
    """
    allowed = torch.from_numpy(np.stack(may)).to(scores.device)
    formed = scores.masked_fill(~allowed, -torch.inf)
    stuck = formed.isneginf().all(-1, keepdim=True)
    return formed.masked_fill(stuck & allowed, 0.0)


class Grammars:
    """The grammars of one model's tokenizer.

    `size` is how many tokens its logits tell of.
    """

    def __init__(self, tokenizer: Any, size: int, ends: Collection[int]) -> None:
        self._hf, self._size, self._ends = tokenizer, size, sorted(ends)
        self._lock = threading.Lock()
        self._tokenizer: Any = None
        self._kept: OrderedDict[str, Grammar] = OrderedDict()

    def compiled(self, grammar: str, field: str) -> Grammar:
        """Compile what `form_grammar` wrote, or something like it; `field` is whose fault it is.

        Raises RowError.
        """
        with self._lock:
            if (found := self._kept.get(grammar)) is not None:
                self._kept.move_to_end(grammar)
                return found
            if self._tokenizer is None:
                self._tokenizer = self._load(field)
        made = self._compile(grammar, field)  # which may take a while: others need not wait
        with self._lock:
            self._kept[grammar] = made
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return made

    def _compile(self, grammar: str, field: str) -> Grammar:
        matcher = library(field).LLMatcher(self._tokenizer, grammar, log_level=0)
        if matcher.is_error():
            raise RowError(f"{field}: {short(matcher.get_error())}")
        return Grammar(matcher, self._ends)

    def _load(self, field: str) -> Any:
        llguidance = library(field)
        if not self._ends:
            raise RowError(f"{field}: this model has no token that ends a text")
        if not getattr(self._hf, "is_fast", False):
            raise RowError(f"{field}: needs a fast tokenizer, with a tokenizer.json")
        written = self._hf.backend_tokenizer.to_str()
        size = max(self._size, len(self._hf))
        try:
            return llguidance.LLTokenizer(written, n_vocab=size, eos_token=self._ends[0])
        except Exception as error:  # of tokenizers whose tokens are no bytes; it has no class
            raise RowError(f"{field}: not with this model's tokenizer: {short(error)}") from None
