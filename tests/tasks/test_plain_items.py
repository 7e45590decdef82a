"""Items as plain values: those that their models would have, and no others."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.protocol.errors import InvalidRequest
from wherry.tasks.items import ItemsOutput
from wherry.tasks.plain_items import form_of
from wherry.tasks.registry import get_task, task_names

CLASSIFY = get_task("text-classification")

PLAIN = [name for name in task_names() if form_of(get_task(name).output)]


@pytest.mark.parametrize("name", PLAIN)
def test_plain_values_are_what_models_have(name: str) -> None:
    output = get_task(name).output
    assert issubclass(output, ItemsOutput)
    form = form_of(output)
    assert form
    rows: list[Any] = [*get_task(name).example.output.rows(), output.empty()]
    whole = output.join(rows)
    response = whole.to_inference_response("m")
    columns = form.columns(response)
    assert columns
    for place, row in enumerate(output.from_inference_response(response).rows()):
        items = tuple(column[place] for column in columns)
        [models] = getattr(row, output.ROWS[0])
        assert len(models) == len(items[0])
        for at, model in enumerate(models):
            told = model.model_dump()
            assert tuple(told) == form.names
            for value, inner, its in zip(told.values(), form.inner, items, strict=True):
                assert its[at] == (list(value.values()) if inner else value)
                assert inner == (tuple(value) if isinstance(value, dict) else ())
        alone = row.to_inference_response("m")
        told_alone = [
            {"name": t.name, "shape": t.shape, "datatype": t.datatype.value, "data": t.data}
            for t in alone.outputs
        ]
        assert form.tensors(items) == told_alone


def test_what_is_more_than_items_has_no_plain_form() -> None:
    """Files are base64 in JSON, and other answers are no lists of items."""
    for name in ("image-segmentation", "mask-generation", "embedding", "text-generation"):
        assert form_of(get_task(name).output) is None
    assert "object-detection" in PLAIN


def test_values_that_a_model_would_change_are_left_to_it() -> None:
    """Another server may send whole numbers for scores: models make floats of them."""
    form = form_of(CLASSIFY.output)
    assert form
    response = CLASSIFY.example.output.response("m")
    assert form.columns(response) == [[["calm", "storm"]], [[0.75, 0.25]]]
    label, score = response.outputs
    whole = score.model_copy(update={"data": [[1, 0]]})
    assert form.columns(response.model_copy(update={"outputs": [label, whole]})) is None
    assert form.columns(response.model_copy(update={"outputs": [label]})) is None
    short = score.model_copy(update={"data": [[1.0]], "shape": [1, 1]})
    assert form.columns(response.model_copy(update={"outputs": [label, short]})) is None
    odd = score.model_copy(update={"parameters": {"row_lengths": "7"}})
    with pytest.raises(InvalidRequest, match="row_lengths"):
        form.columns(response.model_copy(update={"outputs": [label, odd]}))


def test_labels_and_scores_are_told_where_there_are_any() -> None:
    labelled = form_of(CLASSIFY.output)
    found = form_of(get_task("token-classification").output)
    neither = form_of(get_task("table-question-answering").output)
    assert labelled
    assert found
    assert neither
    assert labelled.labels((["a", ""], [0.5, 0.25])) == ["a", ""]
    assert labelled.scores((["a", ""], [0.5, 0.25])) == [0.5, 0.25]
    assert found.labels((["PER"], [0.5], ["Ann"], [0], [3], [-1])) == ["PER"]
    assert neither.labels((["x"], ["[]"], ["[]"], [""])) == [""]
    assert [score != score for score in neither.scores((["x"], ["[]"], ["[]"], [""]))] == [True]
