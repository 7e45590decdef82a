"""Estimators of scikit-learn against their own predict; what a folder may hold, and may not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn.base
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.tree import DecisionTreeClassifier

from wherry.protocol.errors import RowError
from wherry.samples.tiny.tabular import boats, write
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.base import TaskOutput
from wherry.tasks.catalog import ModelDeclaration
from wherry.tasks.check import check_model
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.multimodal.tabular_classification import TabularClassificationOutput
from wherry.tasks.multimodal.tabular_regression import TabularRegressionOutput

from ....support.later import Later

CLASSES, NUMBERS = "tabular-classification", "tabular-regression"
FEATURES = ["length_m", "sails"]

skops_io = Later("skops.io")  # it looks through all modules that there are for its names
TREE = "sklearn.tree._tree.Tree"

Saved = Callable[..., Path]


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    """The folder of an estimator."""

    def made(estimator: Any, task: str = NUMBERS) -> Path:
        folder = tmp_path / "model"
        folder.mkdir()
        write(folder, estimator, task, boats()[FEATURES])
        return folder

    return made


def load(folder: Path, task: str = NUMBERS, **parameters: Any) -> LocalTask:
    return create_task("sklearn", task, str(folder), parameters)


def ask(task: LocalTask, records: list[Any]) -> list[TaskOutput | RowError]:
    return task.backend.run(task.task.input.validated({"records": records}).rows())


def told(folder: Path, **changes: Any) -> None:
    """Change what config.json says."""
    file = folder / "config.json"
    config = json.loads(file.read_text())
    config["sklearn"].update(changes)
    file.write_text(json.dumps(config))


@pytest.mark.parametrize("form", ["numbers", "texts", "lists"])
def test_classes_are_the_estimators_own(form: str, tiny_model: Callable[[str], Path]) -> None:
    folder = tiny_model(CLASSES)
    estimator = skops_io.load(folder / "model.skops")
    table = boats()[["length_m", "sails", "rig"]].head(20)
    records: list[Any] = table.to_dict(orient="records")
    if form == "texts":  # as InferenceClient's own example sends numbers
        records = [{name: str(cell) for name, cell in record.items()} for record in records]
    if form == "lists":
        records = [list(record.values()) for record in records]
    answers = ask(load(folder, CLASSES), records)
    scores = estimator.predict_proba(table)
    for place, answer in enumerate(answers):
        assert isinstance(answer, TabularClassificationOutput)
        assert answer.predictions == [estimator.predict(table)[place]]
        found = {result.label: result.score for result in answer.results[0]}
        own = dict(zip(estimator.classes_, scores[place], strict=True))
        assert found == pytest.approx(own, abs=1e-12)
        assert [r.score for r in answer.results[0]] == sorted(found.values(), reverse=True)


def test_numbers_are_the_estimators_own(tiny_model: Callable[[str], Path]) -> None:
    folder = tiny_model(NUMBERS)
    table = boats()[FEATURES].head(20)
    own = skops_io.load(folder / "model.skops").predict(table.to_numpy())
    answers = ask(load(folder), table.to_dict(orient="records"))
    assert [answer.predictions[0] for answer in answers] == [  # type: ignore[union-attr] # none fails
        pytest.approx([number], rel=1e-12) for number in own
    ]


def test_several_targets_make_several_numbers(saved: Saved) -> None:
    table = boats()
    estimator = LinearRegression().fit(table[FEATURES], table[["weight_t", "sails"]])
    (answer,) = ask(load(saved(estimator)), [[10.0, 2]])
    assert isinstance(answer, TabularRegressionOutput)
    own = estimator.predict(pd.DataFrame([[10.0, 2]], columns=FEATURES))
    assert answer.predictions == [pytest.approx(own[0])]


def test_the_prediction_is_not_always_the_likeliest(saved: Saved) -> None:
    table = boats()
    inner = DecisionTreeClassifier(max_depth=2).fit(table[FEATURES], table["kind"] == "barge")
    estimator = FixedThresholdClassifier(inner, threshold=1.0, pos_label=True)
    estimator.fit(table[FEATURES], table["kind"] == "barge")
    estimator.set_params(threshold=1.1)
    task = load(saved(estimator, CLASSES), CLASSES, trusted=[TREE])
    (answer,) = ask(task, [[29.0, 2]])
    assert isinstance(answer, TabularClassificationOutput)
    assert answer.results[0][0].label == "True"
    assert answer.predictions == ["False"]
    assert task.backend.facts().labels == ("False", "True")


def test_a_row_has_its_columns_types_whatever_is_beside_it(saved: Saved) -> None:
    table = boats()
    table["sails"] = table["sails"].map({1: np.nan}).where(table["sails"] == 1, table["sails"])
    estimator = RandomForestRegressor(3, random_state=0).fit(table[FEATURES], table["weight_t"])
    task = load(saved(estimator), trusted=[TREE])
    records = [{"length_m": 9, "sails": None}, [9.5, "3"], [9, True], {"length_m": "9", "sails": 2}]
    together = ask(task, records)
    assert together == [ask(task, [record])[0] for record in records]
    filled = pd.DataFrame([[9, np.nan], [9.5, 3], [9, 1], [9, 2]], columns=FEATURES)
    assert [answer.predictions[0][0] for answer in together] == pytest.approx(  # type: ignore[union-attr] # none fails
        estimator.predict(filled)
    )


def test_a_type_that_skops_does_not_trust_is_refused_by_its_name(saved: Saved) -> None:
    table = boats()
    estimator = RandomForestRegressor(1).fit(table[FEATURES], table["weight_t"])
    folder = saved(estimator)
    with pytest.raises(ModelRefused, match=rf"model\.skops.* {TREE}; .*`trusted`"):
        load(folder)
    model = ModelDeclaration(name="m", task=NUMBERS, backend="sklearn", source=str(folder))
    [fault] = check_model(model)
    assert f"model.skops holds types that skops does not trust: {TREE}" in fault.text
    load(folder, trusted=[TREE]).close()
    assert check_model(model.model_copy(update={"parameters": {"trusted": [TREE]}})) == []


def test_a_number_where_texts_are_is_told_in_our_words(tiny_model: Callable[[str], Path]) -> None:
    task = load(tiny_model(CLASSES), CLASSES)
    fine = {"length_m": 9.0, "sails": 1, "rig": str(boats()["rig"][0])}
    good, bad = ask(task, [fine, {**fine, "rig": 3}])
    assert isinstance(good, TabularClassificationOutput)
    assert isinstance(bad, RowError)
    assert str(bad) == "column 'rig': expected a text, got 3.0"


class TestPickles:
    @pytest.fixture
    def folder(self, saved: Saved) -> Path:
        estimator = LinearRegression().fit(boats()[FEATURES], boats()["weight_t"])
        folder = saved(estimator)
        joblib.dump(estimator, folder / "model.pkl")
        told(folder, model={"file": "model.pkl"}, model_format="pickle")
        return folder

    def test_one_is_refused_unless_the_operator_trusts_its_folder(
        self, folder: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(ModelRefused, match=r"model\.pkl: a pickle runs code.*HANDLER_DIR"):
            load(folder)
        (tmp_path / "other").mkdir()
        with pytest.raises(ModelRefused, match="not in the directory of trusted code"):
            load(folder, handler_dir=str(tmp_path / "other"))

    def test_one_is_loaded_where_it_is_trusted(self, folder: Path, tmp_path: Path) -> None:
        (answer,) = ask(load(folder, handler_dir=str(tmp_path)), [[10.0, 2]])
        assert isinstance(answer, TabularRegressionOutput)

    def test_what_is_called_skops_is_not_taken_for_one(self, folder: Path) -> None:
        told(folder, model_format="skops")
        with pytest.raises(ModelRefused, match=r"model\.pkl cannot be loaded"):
            load(folder)


def test_another_version_of_scikit_learn_is_told(
    saved: Saved, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    estimator = LinearRegression().fit(boats()[FEATURES], boats()["weight_t"])
    with monkeypatch.context() as older:
        older.setattr(sklearn.base, "__version__", "1.0.2")
        folder = saved(estimator)
    (answer,) = ask(load(folder), [[10.0, 2]])
    assert isinstance(answer, TaskOutput)
    assert "saved with scikit-learn 1.0.2 and runs on" in answer.warning
    assert answer.warning in caplog.text


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"task": CLASSES}, "says sklearn.task 'tabular-classification'"),
        ({"columns": ["length_m", "masts"]}, "columns length_m, masts, and the model .* sails"),
        ({"model": {"file": "../model.skops"}}, "sklearn.model.file"),
        ({"model": {"file": "other.skops"}}, "holds no other.skops"),
        ({"model": {}}, "names no file"),
        ({"model_format": "onnx"}, "model_format 'onnx'"),
    ],
)
def test_a_folder_that_cannot_be_is_refused(
    changes: dict[str, Any], says: str, saved: Saved
) -> None:
    folder = saved(LinearRegression().fit(boats()[FEATURES], boats()["weight_t"]))
    told(folder, **changes)
    with pytest.raises(ModelRefused, match=says):
        load(folder)


def test_what_lacks_its_config_is_refused(
    tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_model(NUMBERS), tmp_path / "copied")
    (folder / "config.json").write_text("{}")
    with pytest.raises(ModelRefused, match="no object `sklearn`"):
        load(folder)
    (folder / "config.json").unlink()
    with pytest.raises(ModelRefused, match=r"has no config\.json"):
        load(folder)


def test_an_estimator_of_another_task_is_refused(saved: Saved) -> None:
    table = boats()
    estimator = MultiOutputClassifier(DecisionTreeClassifier(max_depth=1))
    estimator.fit(table[FEATURES], table[["kind", "rig"]])
    folder = saved(estimator, CLASSES)
    with pytest.raises(ModelRefused, match="several classes a row"):
        load(folder, CLASSES, trusted=[TREE])
    told(folder, task=NUMBERS)
    with pytest.raises(ModelRefused, match="a classifier, not a regressor"):
        load(folder, trusted=[TREE])


def test_names_are_not_guessed(saved: Saved) -> None:
    table = boats()
    folder = saved(LinearRegression().fit(table[FEATURES].to_numpy(), table["weight_t"]))
    told(folder, columns=[], example_input=None)
    named, listed, text, short = ask(
        load(folder), [{"length_m": 1, "sails": 2}, [1, 2], [1, "two"], [1]]
    )
    assert isinstance(named, RowError)
    assert "no names" in named.message
    assert isinstance(listed, TaskOutput)
    assert isinstance(text, RowError)
    assert "column 1: could not convert" in text.message
    assert isinstance(short, RowError)
