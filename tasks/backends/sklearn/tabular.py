from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from threadpoolctl import threadpool_limits

from ....protocol.errors import RowError
from ...base import Task, TaskInput, TaskOutput
from ...labels import ClassificationResult
from ...multimodal.tabular import TabularInput
from ...multimodal.tabular_classification import TabularClassificationOutput
from ...multimodal.tabular_regression import TabularRegressionOutput
from ..base import Backend, ModelRefused
from ..device import Device
from ..facts import ModelFacts
from ..rows import Decoded, alike
from .folder import SavedEstimator, load_folder
from .table import Cells, TableColumns, kinds_of


class TabularBackend(Backend):
    """An estimator of scikit-learn, in a folder as the Hub has it.

    `trusted` names the types that a skops file may hold beside those that skops trusts itself. A
    pickle is loaded only where the operator trusts code (`handler_dir`).
    """

    def __init__(
        self,
        task: Task,
        source: str | None,
        *,
        device: Device,
        trusted: Sequence[str] = (),
        threads: int = 0,
        handler_dir: str | Path = "",
    ) -> None:
        super().__init__(task, source, device=device)
        self._trusted, self._handler_dir, self._threads = tuple(trusted), handler_dir, threads
        self._saved: SavedEstimator | None = None
        self._columns: TableColumns

    def load(self) -> None:
        """Load the estimator. Raises ModelRefused for another's, and for what is not trusted."""
        saved = load_folder(self.source, self.task.name, self._trusted, self._handler_dir)
        self.check(saved.estimator)
        self._columns = TableColumns(saved)
        self._saved = saved

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Predict rows whose cells are of the same kinds together."""
        decoded = Decoded(batch, self._cells)
        answers: list[TaskOutput | RowError] = [RowError("")] * len(decoded.rows)
        for places in alike(map(kinds_of, decoded.rows)):
            rows = [decoded.rows[place] for place in places]
            for place, answer in zip(places, self._predict(rows), strict=True):
                answers[place] = answer
        return decoded.answers(answers)

    def _cells(self, row: TaskInput) -> Cells:
        assert isinstance(row, TabularInput)
        return self._columns.cells(row.records[0])

    def _predict(self, rows: Sequence[Cells]) -> Sequence[TaskOutput | RowError]:
        """Answers of one table; where it is refused, of each row by itself."""
        saved = self._estimator()
        try:
            with self.device.compute(), threadpool_limits(self._threads or None):
                answers = self.predict(saved.estimator, self._columns.table(rows))
        except (ValueError, TypeError) as error:
            if len(rows) == 1:
                return [RowError(self._columns.blamed(rows[0], error))]
            return [answer for row in rows for answer in self._predict([row])]
        return [answer.warned(saved.warning) for answer in answers] if saved.warning else answers

    def _estimator(self) -> SavedEstimator:
        assert self._saved is not None
        return self._saved

    @abstractmethod
    def check(self, estimator: Any) -> None:
        """Raise ModelRefused unless it does the task."""

    @abstractmethod
    def predict(self, estimator: Any, table: Any) -> Sequence[TaskOutput]:
        """An answer a row of the table."""

    def example(self) -> TaskInput:
        """The folder's own first row, where it has one."""
        saved = self._estimator()
        if not saved.example:
            return super().example()
        return self.task.input.validated({"records": [dict(saved.example)]})

    def facts(self) -> ModelFacts:
        """Its classes, and what runs it."""
        saved = self._estimator()
        classes = getattr(saved.estimator, "classes_", ())
        return ModelFacts(
            bytes=saved.bytes,
            labels=tuple(map(str, classes)),
            runtime=f"scikit-learn {sklearn.__version__}",
        )

    def close(self) -> None:
        """Drop the estimator."""
        self._saved = None


class TabularClassification(TabularBackend):
    """A classifier: its predict, and its predict_proba where it has one."""

    def check(self, estimator: Any) -> None:
        """Raise ModelRefused unless it tells one class a row."""
        classes = getattr(estimator, "classes_", None)
        if classes is None:
            raise ModelRefused(f"a {type(estimator).__name__} is no classifier: it has no classes")
        if isinstance(classes, list):
            raise ModelRefused("the model tells several classes a row: this task takes one each")

    def predict(self, estimator: Any, table: Any) -> Sequence[TaskOutput]:
        """The class that the estimator predicts, and all by their probabilities."""
        predicted = np.asarray(estimator.predict(table))
        if predicted.ndim != 1:
            raise RuntimeError("the model predicts several classes a row")
        results: list[list[ClassificationResult]] = [[] for _ in predicted]
        if hasattr(estimator, "predict_proba"):
            labels = list(map(str, estimator.classes_.tolist()))
            results = [_ranked(labels, row) for row in np.asarray(estimator.predict_proba(table))]
        return [
            TabularClassificationOutput(predictions=[str(label)], results=[result])
            for label, result in zip(predicted.tolist(), results, strict=True)
        ]


def _ranked(labels: Sequence[str], scores: Any) -> list[ClassificationResult]:
    order = map(int, np.argsort(-scores, kind="stable"))
    return [ClassificationResult(label=labels[at], score=float(scores[at])) for at in order]


class TabularRegression(TabularBackend):
    """A regressor: its predict."""

    def check(self, estimator: Any) -> None:
        """Raise ModelRefused for a classifier."""
        if hasattr(estimator, "classes_"):
            raise ModelRefused(f"a {type(estimator).__name__} is a classifier, not a regressor")

    def predict(self, estimator: Any, table: Any) -> Sequence[TaskOutput]:
        """The numbers that the estimator predicts."""
        predicted = np.asarray(estimator.predict(table), dtype=np.float64)
        rows = predicted.reshape(len(predicted), -1).tolist()
        return [TabularRegressionOutput(predictions=[row]) for row in rows]
