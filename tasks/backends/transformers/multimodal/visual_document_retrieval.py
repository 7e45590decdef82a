from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

from .....protocol.errors import RowError
from ....base import TaskInput, TaskOutput
from ....multimodal.visual_document_retrieval import (
    RankedPage,
    VisualDocumentRetrievalInput,
    VisualDocumentRetrievalOutput,
)
from ...rows import Decoded
from .late_interaction import LateInteraction, Tensors, Vectors

#: A page's file and the background that it is shown on.
_Shown = tuple[bytes, str]


class _Asked(NamedTuple):
    """A row: its query as the model is given it, and its pages."""

    query: Tensors
    pages: list[_Shown]


class VisualDocumentRetrieval(LateInteraction):
    """Late interaction: each vector of a query finds its nearest of a page."""

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Look at the pages of all readable rows, each different one once; then score."""
        seen: dict[_Shown, Tensors] = {}
        looking: dict[_Shown, threading.Lock] = {}  # rows are read side by side

        def read(row: TaskInput) -> _Asked:
            asked = cast("VisualDocumentRetrievalInput", row)
            shown = [(file, asked.background) for file in asked.pages[0]]
            for number, page in enumerate(shown):
                with looking.setdefault(page, threading.Lock()):
                    if page not in seen:
                        seen[page] = self._numbered(number, page)
            return _Asked(self.query(asked.queries[0]), shown)

        decoded = Decoded(batch, read)
        wanted = {page for row in decoded.rows for page in row.pages}
        made = {page: tensors for page, tensors in seen.items() if page in wanted}
        pages = dict(zip(made, self.vectors([*made.values()]), strict=True))
        queries = self.vectors([row.query for row in decoded.rows])
        return decoded.answers(
            [
                _ranked(row, _scores(query, [pages[page] for page in asked.pages]))
                for row, query, asked in zip(decoded.inputs, queries, decoded.rows, strict=True)
            ]
        )

    def _numbered(self, number: int, page: _Shown) -> Tensors:
        try:
            return self.page(*page)
        except RowError as error:
            raise RowError(f"page {number}: {error.message}") from None


def _scores(query: Vectors, pages: Sequence[Vectors]) -> Iterator[float]:
    """MaxSim, as processors' `score_retrieval`."""
    for page in pages:
        yield float((query @ page.T).amax(1).sum())


def _ranked(row: TaskInput, scores: Iterator[float]) -> VisualDocumentRetrievalOutput:
    asked = cast("VisualDocumentRetrievalInput", row)
    found = [RankedPage(index=index, score=score) for index, score in enumerate(scores)]
    best = sorted(found, key=lambda page: -page.score)[: asked.top_k]
    return VisualDocumentRetrievalOutput(rankings=[best])
