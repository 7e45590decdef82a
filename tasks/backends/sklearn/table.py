"""Rows of several jobs as the tables that an estimator takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ....protocol.errors import RowError
from ...multimodal.tabular import TableCell
from ..base import ModelRefused
from .folder import SavedEstimator

Cells = tuple[TableCell, ...]


class TableColumns:
    """The columns of an estimator, and tables of them."""

    def __init__(self, saved: SavedEstimator) -> None:
        """Raises ModelRefused where the folder and the estimator name different columns."""
        fitted: Any = getattr(saved.estimator, "feature_names_in_", None)
        count: int | None = getattr(saved.estimator, "n_features_in_", None)
        self.names = saved.columns if fitted is None else tuple(map(str, fitted))
        #: What it was fitted to: a data frame, unless it counted features and saw no names.
        self._framed = fitted is not None or (count is None and bool(self.names))
        self._numeric, self._textual = saved.numeric, saved.textual
        if saved.columns and set(saved.columns) != set(self.names):
            raise ModelRefused(
                f"config.json has the columns {', '.join(saved.columns)}, and the model was fitted "
                f"to {', '.join(self.names)}"
            )
        if self.names and count is not None and len(self.names) != count:
            raise ModelRefused(
                f"config.json has {len(self.names)} columns, and the model was fitted to {count}"
            )
        self._count = len(self.names) or count

    def cells(self, record: dict[str, TableCell] | list[TableCell]) -> Cells:
        """A row's cells in order; numbers are floats, so that rows alike share a table.

        Raises RowError that names the column.
        """
        if isinstance(record, dict):
            if not self.names:
                raise RowError("the model's columns have no names: send a list of cells")
            missing = [name for name in self.names if name not in record]
            if missing:
                raise RowError(f"column {missing[0]!r} is missing")
            cells = [record[name] for name in self.names]
        else:
            cells = record
        if self._count is not None and len(cells) != self._count:
            raise RowError(f"the row has {len(cells)} cells, and the model {self._count} columns")
        return tuple(self._cell(place, cell) for place, cell in enumerate(cells))

    def _cell(self, place: int, cell: TableCell) -> TableCell:
        if isinstance(cell, str) and self._name(place) in self._numeric:
            return self._number(place, cell)
        if isinstance(cell, int) and not isinstance(cell, bool):
            try:
                return float(cell)
            except OverflowError:
                raise RowError(f"{self.of(place)}: the number is too large") from None
        return cell

    def _number(self, place: int, text: str) -> float | None:
        """A number that came as a text, as forms and CSV files have them; empty is missing."""
        if not text.strip():
            return None
        try:
            number = float(text)
        except ValueError:
            number = math.inf
        if math.isinf(number):
            raise RowError(f"{self.of(place)}: expected a number, got {text[:80]!r}")
        return None if math.isnan(number) else number

    def _name(self, place: int) -> str:
        return self.names[place] if self.names else ""

    def of(self, place: int) -> str:
        """What a column is called in errors."""
        return f"column {self.names[place] if self.names else place!r}"

    def table(self, rows: Sequence[Cells]) -> Any:
        """Rows whose cells are of the same kinds, as the estimator was fitted: a frame or array."""
        filled = [[math.nan if cell is None else cell for cell in row] for row in rows]
        if self._framed:
            return pd.DataFrame(filled, columns=list(self.names))
        numbers = not any(isinstance(cell, str) for row in rows for cell in row)
        return np.array(filled, dtype=np.float64 if numbers else object)

    def blamed(self, row: Cells, error: Exception) -> str:
        """A failed row's error, with the columns whose cells it is about."""
        for place, cell in enumerate(row):
            if self._name(place) in self._textual and not isinstance(cell, str | None):
                return f"{self.of(place)}: expected a text, got {cell!r}"
        said = " ".join(str(error).split()).partition(". ")[0][:300]
        if "NaN" in said:
            places = [place for place, cell in enumerate(row) if cell is None]
        else:
            places = [
                place for place, c in enumerate(row) if isinstance(c, str) and repr(c) in said
            ]
        named = ", ".join(map(self.of, places[:5]))
        return f"{named}: {said}" if named else f"the model cannot take the row: {said}"


def kinds_of(row: Cells) -> tuple[str, ...]:
    """What a row's cells are: rows of one table have the same, so none changes another's type."""
    return tuple(type(cell).__name__ for cell in row)
