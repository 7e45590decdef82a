"""A fault of a request says which field it is, and which was meant."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from wherry.protocol.v2 import describe


class _Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    size: int = 0


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    documents: list[str]
    top_n: int = 1
    inner: _Inner = _Inner()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"documents": [], "topn": 1}, "topn: there is no such field; did you mean 'top_n'?"),
        ({"documets": []}, "documets: there is no such field; did you mean 'documents'?"),
        ({"xyz": 1}, "documents: Field required"),
        ({"documents": [], "xyz": 1}, "xyz: there is no such field"),
        ({"documents": [], "inner": {"sise": 1}}, "inner.sise: there is no such field"),
        ({"documents": [1]}, "documents[0]: Input should be a valid string"),
    ],
)
def test_a_fault_names_its_field_and_the_one_that_was_meant(
    given: dict[str, object], says: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        _Asked.model_validate(given)
    assert describe(caught.value, _Asked) == says


def test_many_unknown_fields_cost_no_more_than_a_few() -> None:
    given = {"documents": [], **{f"{n:04}": n for n in range(150)}, "topn": 1}
    with pytest.raises(ValidationError) as caught:
        _Asked.model_validate(given)
    assert describe(caught.value, _Asked) == "0000: there is no such field"
