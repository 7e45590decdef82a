"""A query and documents to put in order, in the words of Cohere, Jina, vLLM, Infinity, Together
and Voyage.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator

from ....protocol.errors import InvalidRequest
from .requests import RetrievalRequest, Side
from .scoring import TextOptions

#: How many tokens of each text some services read: here it is the model that says.
_LENGTHS = ("max_chunks_per_doc", "max_tokens_per_doc", "max_tokens_per_query")


class RerankRequest(RetrievalRequest):
    """A query, and what may answer it."""

    query: str
    documents: Annotated[list[str | dict[str, Any]], Field(min_length=1, max_length=10_000)]
    top_n: int | None = Field(default=None, ge=1)
    #: Voyage's word for it.
    top_k: int | None = Field(default=None, ge=1)
    return_documents: bool | None = None
    #: Cohere's: which field of a document is read.
    rank_fields: list[str] | None = Field(default=None, max_length=16)
    #: Infinity's.
    raw_scores: bool = False
    #: vLLM's: false asks for raw scores.
    use_activation: bool | None = None
    instruction: str | None = None
    #: Voyage's and Jina's.
    truncation: bool | None = None
    #: vLLM's.
    truncate_prompt_tokens: int | None = None
    truncation_side: Side | None = None
    max_chunks_per_doc: Any = None
    max_tokens_per_doc: Any = None
    max_tokens_per_query: Any = None
    # About the service.
    priority: Any = None

    @field_validator("top_k")
    @classmethod
    def _as_top_n(cls, value: int | None, told: ValidationInfo) -> int | None:
        if value and told.data.get("top_n") not in (None, value):
            raise ValueError("it means what top_n does, and says another number")
        return value

    @field_validator("truncate_prompt_tokens")
    @classmethod
    def _as_the_model_reads(cls, value: int | None) -> int | None:
        if value not in (None, -1):
            raise ValueError("only -1, as much as the model reads, is done")
        return value

    @property
    def most(self) -> int | None:
        """How many documents are answered at most."""
        return self.top_n or self.top_k

    @property
    def wants_raw(self) -> bool:
        """Whether scores are to be the model's own, not from 0 to 1."""
        return self.raw_scores or self.use_activation is False

    @property
    def options(self) -> TextOptions:
        """How the texts are read."""
        cut: dict[str, Any] = {}
        if self.truncation is not None:
            cut["truncate"] = self.truncation
        if self.truncation_side is not None:
            cut["truncation_direction"] = self.truncation_side
        return TextOptions(cut=cut, instruction=self.instruction)

    @property
    def unheeded(self) -> list[str]:
        """Fields that say how much of a text is read."""
        return [name for name in _LENGTHS if getattr(self, name) is not None]

    def texts(self) -> list[str]:
        """What is read of each document. Raises InvalidRequest that names the document."""
        fields = self.rank_fields or ["text"]
        return [
            each if isinstance(each, str) else _text(each, fields, f"documents[{index}]")
            for index, each in enumerate(self.documents)
        ]


def _text(document: dict[str, Any], fields: list[str], where: str) -> str:
    """A document's text; of several fields a line each, under their names."""
    found = [document.get(name) for name in fields]
    for name, value in zip(fields, found, strict=True):
        if not isinstance(value, str):
            raise InvalidRequest(
                f"{where}.{name[:80]}: expected a text; images are not ranked here"
            )
    if len(fields) == 1:
        return str(found[0])
    return "\n".join(f"{name}: {value}" for name, value in zip(fields, found, strict=True))
