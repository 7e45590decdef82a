"""What an operator says of sessions reaches ONNX Runtime, and what it cannot do is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.backends.onnx.bound import Bound
from wherry.tasks.catalog import ModelDeclaration
from wherry.tasks.check.model import check_model
from wherry.tasks.create import LocalTask, create_task

TASK = "text-classification"
SPINS = "session.intra_op.allow_spinning"


@pytest.fixture(scope="module")
def folder(tiny_graph: Callable[[str, str], Path]) -> Path:
    return tiny_graph(TASK, TASK)


def create(folder: Path, **parameters: Any) -> LocalTask:
    return create_task("onnxruntime", TASK, str(folder), parameters)


def test_options_of_sessions_and_providers_are_handed_on(folder: Path) -> None:
    given: dict[str, Any] = {
        "optimization": "disabled",
        "session_options": {SPINS: False},
        "provider_options": {"CPUExecutionProvider": {}},
    }
    with create(folder, **given) as task, create(folder) as plain:
        session = task.backend.graph.session  # type: ignore[attr-defined] # a DialectBackend
        options = session.get_session_options()
        assert options.graph_optimization_level == ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        assert options.get_session_config_entry(SPINS) == "0"
        row = {"texts": ["hello world"]}
        answers: list[Any] = [
            one.process(one.task.input.validated(row)).model_dump()["results"][0]
            for one in (task, plain)
        ]
        scores = [[label["score"] for label in labels] for labels in answers]
        assert scores[0] == pytest.approx(scores[1], abs=1e-5)


def test_numbers_bound_to_the_device_make_the_same_answers(folder: Path) -> None:
    row = {"texts": ["hello world", "the red car"]}
    with create(folder, io_binding=True) as bound, create(folder) as plain:
        assert isinstance(bound.backend.graph.session._session, Bound)  # type: ignore[attr-defined] # a Rewired of a DialectBackend
        given = bound.task.input.validated(row)
        assert bound.process(given) == plain.process(given)


def test_views_numbers_and_empty_arrays_are_bound_as_they_are_run(tmp_path: Path) -> None:
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["image", "shift"], ["moved"]),
            helper.make_node("Concat", ["moved", "past"], ["longer"], axis=1),
        ],
        "views",
        [
            helper.make_tensor_value_info("image", kind, ["rows", "columns"]),
            helper.make_tensor_value_info("past", kind, ["rows", "before"]),
            helper.make_tensor_value_info("shift", kind, []),
        ],
        [
            helper.make_tensor_value_info("moved", kind, ["rows", "columns"]),
            helper.make_tensor_value_info("longer", kind, ["rows", "all"]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.save(model, tmp_path / "model.onnx")
    session = ort.InferenceSession(tmp_path / "model.onnx")
    feed = {
        "image": np.arange(6, dtype=np.float32).reshape(2, 3).T,
        "past": np.zeros((3, 0), np.float32),
        "shift": np.array(0.5, np.float32),
    }
    for outputs in (None, ["longer"], ["longer", "moved"]):
        expected = session.run(outputs, feed)
        for one, other in zip(Bound(session, "cpu").run(outputs, feed), expected, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"optimization": "most"}, "optimization 'most': use disabled, basic, extended, all"),
        (
            {"providers": ["TensorrtExecutionProvider"]},
            "this ONNX Runtime has no TensorrtExecutionProvider, only .*CPUExecutionProvider",
        ),
        (
            {"provider_options": {"CUDAExecutionProvider": {"device_id": 1}}},
            "CUDAExecutionProvider computes nothing here, only CPUExecutionProvider",
        ),
    ],
)
def test_what_the_runtime_cannot_do_is_refused(
    folder: Path, parameters: dict[str, Any], said: str
) -> None:
    with pytest.raises(ModelRefused, match=said):
        create(folder, **parameters)


def test_a_check_knows_them(folder: Path) -> None:
    parameters = {
        "optimization": "basic",
        "session_options": {SPINS: "0"},
        "providers": [],
        "provider_options": {},
        "io_binding": True,
    }
    for task in (TASK, "text-generation"):
        declared = ModelDeclaration(
            name="m", task=task, backend="onnxruntime", source=str(folder), parameters=parameters
        )
        assert check_model(declared) == []
