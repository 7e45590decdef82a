from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from wherry.api.core.fitting import model_for, only_model
from wherry.protocol.errors import InvalidRequest, ModelNotFound
from wherry.tasks.models_file import load_catalog

DECLARED = {"small": "embedding", "large": "embedding", "judge": "ranking"}


@pytest.fixture
def service(tmp_path: Path) -> Any:
    path = tmp_path / "models.toml"
    path.write_text(
        "".join(
            f'[[models]]\nname = "{name}"\ntask = "{task}"\nbackend = "stub"\n'
            for name, task in DECLARED.items()
        )
    )
    return SimpleNamespace(catalog=load_catalog(path))


def test_a_named_model_has_to_do_the_task(service: Any) -> None:
    assert model_for(service, "judge", "chat", "ranking").name == "judge"
    with pytest.raises(InvalidRequest, match="this path is for embedding: large, small"):
        model_for(service, "judge", "embedding")
    with pytest.raises(InvalidRequest, match="no model here does that"):
        model_for(service, "judge", "chat")
    with pytest.raises(ModelNotFound):
        model_for(service, "none", "ranking")


def test_the_only_model_of_the_first_task_is_taken(service: Any) -> None:
    assert only_model(service, "chat", "ranking", "embedding").name == "judge"
    with pytest.raises(InvalidRequest, match="several would do: large, small"):
        only_model(service, "embedding", "ranking")
    with pytest.raises(InvalidRequest, match="no model here does chat or custom"):
        only_model(service, "chat", "custom")
