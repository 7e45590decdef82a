"""ColPali, ColQwen2 and ColModernVBERT against their processors' own scores, row by row."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from PIL import Image

from wherry.protocol.errors import RowError
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.create import create_task
from wherry.tasks.multimodal.visual_document_retrieval import (
    VisualDocumentRetrievalInput,
    VisualDocumentRetrievalOutput,
)

from ....support import tiny

Models = Callable[[str], Path]

NAME = "visual-document-retrieval"
KINDS = {
    NAME: "ColQwen2ForRetrieval",
    f"{NAME}-colmodernvbert": "ColModernVBertForRetrieval",
    f"{NAME}-colpali": "ColPaliForRetrieval",
}

#: Rows of one batch: pages of several sizes, some of them in several rows.
ROWS = (
    ("what is the capital of france", [0, 1, 2, 3]),
    ("a cat", [3, 1]),
    ("the quick brown fox jumps over the lazy dog", [2]),
    ("a cat", [1, 1]),
)


def rows(**fields: Any) -> list[VisualDocumentRetrievalInput]:
    files = tiny.images()
    return [
        VisualDocumentRetrievalInput(queries=[q], pages=[[files[i] for i in pages]], **fields)
        for q, pages in ROWS
    ]


def ranked(answer: object) -> list[tuple[int, float]]:
    assert isinstance(answer, VisualDocumentRetrievalOutput), answer
    return [(page.index, page.score) for page in answer.rankings[0]]


@torch.inference_mode()
def documented(folder: str, kind: str) -> list[list[float]]:
    """What a processor says of each row's pages, one at a time: it rates what it pads with."""
    model = getattr(transformers, kind).from_pretrained(folder).eval()
    processor = transformers.AutoProcessor.from_pretrained(folder)
    images = [Image.open(io.BytesIO(file)) for file in tiny.images()]
    pages = [model(**processor.process_images(images=[image])).embeddings for image in images]
    queries = [model(**processor.process_queries(text=[query])).embeddings for query, _ in ROWS]
    return [
        [float(processor.score_retrieval(query, pages[i])) for i in own]
        for query, (_, own) in zip(queries, ROWS, strict=True)
    ]


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_each_page_has_its_processors_score_whatever_stands_beside_it(
    name: str, kind: str, tiny_model: Models
) -> None:
    folder = str(tiny_model(name))
    task = create_task("transformers", NAME, folder)
    expected = documented(folder, kind)
    together = [ranked(answer) for answer in task.backend.run(rows())]
    alone = [ranked(task.backend.run([row])[0]) for row in rows()]
    for answers in (together, alone):
        for found, scores in zip(answers, expected, strict=True):
            assert [score for _, score in sorted(found)] == pytest.approx(scores, abs=1e-3)
            assert found == sorted(found, key=lambda page: -page[1])
    assert len({round(score, 2) for scores in expected for score in scores}) >= 6  # rows do differ
    assert [len(ranked(answer)) for answer in task.backend.run(rows(top_k=2))] == [2, 2, 1, 2]


def test_a_page_that_is_in_several_rows_is_looked_at_once(
    tiny_model: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = create_task("transformers", NAME, str(tiny_model(NAME)), {"max_forward_pages": 2})
    sizes: list[int] = []
    backend: Any = task.backend
    forward = backend.model.forward

    def counted(pixel_values: Any = None, **more: Any) -> object:
        if pixel_values is not None:
            sizes.append(len(pixel_values))
        return forward(pixel_values=pixel_values, **more)

    monkeypatch.setattr(backend.model, "forward", counted)
    task.backend.run(rows())
    assert sorted(sizes) == [1, 1, 2]  # four pages, one of a size of its own; two at once at most


def test_a_broken_page_fails_its_row_alone_by_its_number(tiny_model: Models) -> None:
    task = create_task("transformers", NAME, str(tiny_model(NAME)))
    good, *_ = rows()
    bad = good.model_copy(update={"pages": [[*good.pages[0][:2], b"junk"]]})
    first, second = task.backend.run([bad, good])
    with pytest.raises(RowError, match="page 2: not an image of a known format"):
        raise first  # type: ignore[misc] # it is one
    assert len(ranked(second)) == 4


def test_a_query_with_the_mark_of_an_image_fails_its_row_alone(tiny_model: Models) -> None:
    task = create_task("transformers", "visual-document-retrieval", str(tiny_model(NAME)))
    backend: Any = task.backend
    good, *_ = rows()
    mark = backend.processor.image_token
    first, second = backend.run([good.model_copy(update={"queries": [mark]}), good])
    with pytest.raises(RowError, match="refuses the text"):
        raise first
    assert len(ranked(second)) == 4


def test_another_kind_of_model_is_refused(tiny_model: Models) -> None:
    says = "a clip has no vectors of pages; this task takes colmodernvbert, colpali, colqwen2"
    with pytest.raises(ModelRefused, match=says):
        create_task("transformers", NAME, str(tiny_model("multimodal-embedding")))
