from __future__ import annotations

from pathlib import Path

import pytest

from wherry.ops.models_doc import render
from wherry.tasks.backends import backend_places
from wherry.tasks.catalog import ModelDeclaration
from wherry.tasks.check.backend_class import BackendClass

PAGE = Path(__file__).parents[2] / "docs" / "models-toml.md"


@pytest.fixture(scope="module")
def page() -> str:
    return render()


def test_the_page_is_up_to_date(page: str) -> None:
    assert PAGE.read_text() == page, "run `make docs`"


def test_every_field_is_described(page: str) -> None:
    for name, field in ModelDeclaration.model_fields.items():
        assert field.description, name
        assert f"| `{name}` |" in page


@pytest.mark.parametrize("backend", ["transformers", "onnxruntime", "stub"])
def test_every_parameter_that_a_backend_takes_is_on_the_page(page: str, backend: str) -> None:
    [_, rest] = page.split(f"## Parameters of `{backend}`")
    section = rest.partition("\n## ")[0]
    for place in backend_places(backend).values():
        for name in BackendClass.of(place).named():
            assert f"| `{name}` |" in section
