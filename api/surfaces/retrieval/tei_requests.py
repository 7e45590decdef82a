"""Requests as text-embeddings-inference reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field

from ....protocol.errors import InvalidRequest
from ...http.documents import NullIsAbsent, text_only
from .requests import RetrievalRequest, Side, Texts
from .scoring import TextOptions

_FORMS = "a text, [text, text] for a pair, or a list of [text] or of [text, text]"


class _Cut(NullIsAbsent):
    """Texts that may be cut."""

    truncate: bool | None = None
    truncation_direction: Side | None = None
    prompt_name: str | None = None

    @property
    def options(self) -> TextOptions:
        """How the texts are read."""
        cut = {"truncate": self.truncate, "truncation_direction": self.truncation_direction}
        given = {name: value for name, value in cut.items() if value is not None}
        return TextOptions(cut=given, prompt_name=self.prompt_name)


class EmbedRequest(_Cut, RetrievalRequest):
    """Texts that get a vector each."""

    inputs: Annotated[str | Texts, BeforeValidator(text_only)]
    normalize: bool = True
    dimensions: int | None = Field(default=None, ge=1)

    @property
    def texts(self) -> list[str]:
        """The texts, of which one may come alone."""
        return [self.inputs] if isinstance(self.inputs, str) else self.inputs


class EmbedAllRequest(_Cut, RetrievalRequest):
    """Texts whose tokens get a vector each."""

    inputs: Annotated[str | Texts, BeforeValidator(text_only)]

    @property
    def texts(self) -> list[str]:
        """The texts, of which one may come alone."""
        return [self.inputs] if isinstance(self.inputs, str) else self.inputs


class _Alike(NullIsAbsent):
    source_sentence: str
    sentences: Texts


class SimilarityRequest(RetrievalRequest):
    """A sentence, and those that it is compared with."""

    inputs: _Alike
    parameters: _Cut = Field(default_factory=_Cut)


class RankRequest(_Cut, RetrievalRequest):
    """A query, and texts to put in order."""

    query: str
    texts: Texts
    raw_scores: bool = False
    return_text: bool = False


class Classified(NamedTuple):
    """Texts to classify, and the second of each where they are pairs."""

    firsts: list[str]
    seconds: list[str] | None
    #: Whether a list of answers is wanted.
    many: bool


class PredictRequest(_Cut, RetrievalRequest):
    """A text, a pair of them, or a list of either."""

    inputs: Any
    raw_scores: bool = False

    def rows(self) -> Classified:
        """What is classified. Raises InvalidRequest."""
        inputs = [self.inputs] if isinstance(self.inputs, str) else self.inputs
        if not isinstance(inputs, list) or not inputs:
            raise InvalidRequest(f"inputs: expected {_FORMS}")
        many = isinstance(inputs[0], list)
        rows = [_row(each, f"inputs[{i}]") for i, each in enumerate(inputs if many else [inputs])]
        if len({len(row) for row in rows}) > 1:
            raise InvalidRequest("inputs: all texts or all pairs; send two requests")
        return Classified(
            [row[0] for row in rows], [row[1] for row in rows] if len(rows[0]) > 1 else None, many
        )


def _row(value: object, where: str) -> Sequence[str]:
    texts = value if isinstance(value, list) else []
    if len(texts) not in (1, 2) or not all(isinstance(text, str) for text in texts):
        raise InvalidRequest(f"{where}: expected {_FORMS}")
    return texts
