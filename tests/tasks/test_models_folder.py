"""A folder of models, as Triton lays them out."""

from __future__ import annotations

from pathlib import Path

import pytest

from wherry.tasks.catalog import CatalogError
from wherry.tasks.models_file import load_catalog

EMBEDDING = 'task = "embedding"\nbackend = "transformers"\n'


def put(folder: Path, name: str, text: str, *versions: str) -> None:
    (folder / name).mkdir()
    (folder / name / "model.toml").write_text(text)
    for version in versions:
        (folder / name / version).mkdir()


def test_each_model_has_a_folder_and_its_versions_in_it(tmp_path: Path) -> None:
    put(tmp_path, "b", EMBEDDING + "max_batch_size = 3", "1", "2")
    put(tmp_path, "a", EMBEDDING + "version_policy = { all = {} }", "3", "4")
    (tmp_path / ".git").mkdir()
    (tmp_path / "README").write_text("a file is no model")
    models = load_catalog(tmp_path).models
    assert [(m.name, m.version) for m in models] == [("a", "3"), ("a", "4"), ("b", "2")]
    assert models[-1].source == str(tmp_path / "b" / "2")
    assert models[-1].max_batch_size == 3


def test_all_faults_of_a_folder_are_told(tmp_path: Path) -> None:
    put(tmp_path, "good", EMBEDDING, "1")
    put(tmp_path, "named", EMBEDDING + 'name = "x"', "1")
    put(tmp_path, "broken", "task = ", "1")
    put(tmp_path, "empty", EMBEDDING)
    put(tmp_path, "wrong", EMBEDDING + "pined = true", "1")
    (tmp_path / "bare").mkdir()
    with pytest.raises(CatalogError) as caught:
        load_catalog(tmp_path)
    said = str(caught.value)
    for part in (
        "bare: holds no model.toml, which says its task and its backend",
        "broken/model.toml: ",
        "model 'empty': version_policy: ",
        "named/model.toml: name: the folder says that",
        "model 'wrong': pined: no such field",
    ):
        assert part in said
    assert len(said.splitlines()) == 5
    assert "good" in {model.name for model in caught.value.models}


def test_a_folder_without_models_is_none(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="holds no folders of models"):
        load_catalog(tmp_path)
