"""The vectors of pages and queries, and what whoever keeps them makes of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wherry.tasks.create import create_task
from wherry.tasks.multimodal.multivector_embedding import (
    MultivectorEmbeddingInput,
    MultivectorEmbeddingOutput,
)
from wherry.tasks.multimodal.visual_document_retrieval import (
    VisualDocumentRetrievalInput,
    VisualDocumentRetrievalOutput,
)

from ....support import tiny

Models = Callable[[str], Path]

QUERY = "what is the capital of france"


@pytest.mark.parametrize("end", ["", "-colmodernvbert", "-colpali"])
def test_vectors_that_are_kept_give_the_scores_of_retrieval(end: str, tiny_model: Models) -> None:
    folder = str(tiny_model(f"visual-document-retrieval{end}"))
    images = tiny.images()
    given = MultivectorEmbeddingInput(images=[*images, b""], texts=[*[""] * len(images), QUERY])
    answers = create_task("transformers", "multivector-embedding", folder).backend.run(given.rows())
    found = [np.array(a.features[0]) for a in answers if isinstance(a, MultivectorEmbeddingOutput)]
    *pages, query = found
    kept = [float((query @ page.T).max(1).sum()) for page in pages]
    retrieval = create_task("transformers", "visual-document-retrieval", folder)
    row = VisualDocumentRetrievalInput(queries=[QUERY], pages=[images])
    (answer,) = retrieval.backend.run([row])
    assert isinstance(answer, VisualDocumentRetrievalOutput)
    scores = {page.index: page.score for page in answer.rankings[0]}
    assert kept == pytest.approx([scores[index] for index in range(len(images))], abs=1e-4)
    assert all(np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4) for vectors in found)
