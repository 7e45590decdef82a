"""Small estimators of scikit-learn, in folders as the Hub has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sklearn
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

_RIGS = ("gaff", "sprit", "lug")


def boats() -> Any:
    """Boats by their measures, with what each is and weighs."""
    rng = np.random.default_rng(0)
    length = rng.uniform(4, 30, 120)
    sails = rng.integers(1, 5, 120)
    rigs = rng.choice(_RIGS, 120)
    kinds = np.where(length > 20, "barge", np.where(rigs == "gaff", "wherry", "skiff"))
    weight = length**2 / 10 + sails
    return pd.DataFrame(
        {"length_m": length, "sails": sails, "rig": rigs, "kind": kinds, "weight_t": weight}
    )


def classifier(folder: Path) -> None:
    """What a boat is, by numbers and a word, with probabilities."""
    table = boats()
    columns = ["length_m", "sails", "rig"]
    prepared = make_column_transformer(
        (StandardScaler(), ["length_m", "sails"]), (OneHotEncoder(), ["rig"])
    )
    estimator = make_pipeline(prepared, LogisticRegression())
    estimator.fit(table[columns], table["kind"])
    write(folder, estimator, "tabular-classification", table[columns])


def regressor(folder: Path) -> None:
    """What a boat weighs, by numbers that were an array."""
    table = boats()[["length_m", "sails", "weight_t"]]
    features = table[["length_m", "sails"]]
    estimator = Ridge()
    estimator.fit(features.to_numpy(), table["weight_t"].to_numpy())
    write(folder, estimator, "tabular-regression", features)


def write(folder: Path, estimator: Any, task: str, fitted: Any) -> None:
    """A folder as skops.hub_utils.init makes it."""
    skops.io.dump(estimator, folder / "model.skops")
    told = {
        "columns": list(fitted.columns),
        "environment": [f"scikit-learn={sklearn.__version__}"],
        "example_input": {"data": fitted.head(3).to_dict(orient="list")},
        "model": {"file": "model.skops"},
        "model_format": "skops",
        "task": task,
    }
    (folder / "config.json").write_text(json.dumps({"sklearn": told}))
