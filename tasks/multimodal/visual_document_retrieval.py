"""Visual document retrieval. OIP: query BYTES [n], pages BYTES [n, m] -> index, score [n, m].

index is INT64, score FP32; the best page comes first. Pages are images, as they would be printed:
nothing need be read off them first. A query's tokens and a page's places have a vector each; a
page's score is the sum over the query's vectors of what each has in common with the page's nearest
(late interaction: ColBERT, Khattab and Zaharia, 2020; ColPali, Faysse et al., 2024). It is what the
processor's `score_retrieval` says of the page alone: pages of several sizes are padded there, and a
query's vector that is far from all of a page finds the padding nearer.

To search many pages keep their vectors: `multivector-embedding` answers these. The tests' models
have random weights: no trained one comes with a dependency.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from ...protocol.datatypes import Datatype
from ..base import Aliases, Example, Task, Widget
from ..items import ItemsOutput
from ..samples import PNG
from ..tensors import TensorSpec
from ..text.ranking import QUERY
from ..vision.images import MAX_PIXELS, PicturesInput

PAGES = TensorSpec("pages", Datatype.BYTES, (-1, -1), "pages", "image")
OUTPUTS = (
    TensorSpec("index", Datatype.INT64, (-1, -1), "rankings"),
    TensorSpec("score", Datatype.FP32, (-1, -1), "rankings"),
)

#: Pages of one row, at most.
MAX_PAGES = 1000


class VisualDocumentRetrievalInput(PicturesInput):
    """Queries, and for each the pages to put in order."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (QUERY, PAGES)
    ROWS: ClassVar[tuple[str, ...]] = ("queries", "pages")

    queries: list[str] = Field(min_length=1, description="Queries, one a row.")
    pages: list[Annotated[list[bytes], Field(min_length=1, max_length=MAX_PAGES)]] = Field(
        min_length=1, description="Per row the pages, image files."
    )
    top_k: int | None = Field(
        default=None, ge=1, description="Most pages to answer per query; all when not given."
    )


class RankedPage(BaseModel):
    """A page in its place."""

    model_config = ConfigDict(frozen=True)

    index: int = Field(description="Its position in the request.")
    score: float = Field(description="How well it fits the query; longer queries score higher.")


class VisualDocumentRetrievalOutput(ItemsOutput):
    """Per query, the pages that fit best first."""

    ITEM: ClassVar[type[BaseModel]] = RankedPage
    TENSORS: ClassVar[tuple[TensorSpec, ...]] = OUTPUTS
    ROWS: ClassVar[tuple[str, ...]] = ("rankings",)

    rankings: list[list[RankedPage]]


TASK = Task(
    name="visual-document-retrieval",
    family="multimodal",
    title="Visual document retrieval",
    description="Puts images of pages in the order in which they answer a query.",
    input=VisualDocumentRetrievalInput,
    output=VisualDocumentRetrievalOutput,
    outputs=OUTPUTS,
    default_model="vidore/colqwen2-v1.0-hf",
    max_row_cost=10 * MAX_PIXELS,
    widget=Widget(("text", "images"), "table"),
    aliases=Aliases(huggingface=("visual-document-retrieval",)),
    example=Example(
        VisualDocumentRetrievalInput(queries=["What did it cost?"], pages=[[PNG, PNG]]),
        VisualDocumentRetrievalOutput(
            rankings=[[RankedPage(index=1, score=9.5), RankedPage(index=0, score=7.25)]]
        ),
    ),
)
