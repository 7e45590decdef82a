"""Graphs on OpenVINO answer as on ONNX Runtime, and what it cannot do is refused."""

from __future__ import annotations

import ctypes
import gc
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.backends.device import Device
from wherry.tasks.backends.onnx.graph import Graph
from wherry.tasks.backends.onnx.openvino.runtime import OpenVino
from wherry.tasks.backends.onnx.runtime import Runtime
from wherry.tasks.backends.onnx.session import OnnxRuntime
from wherry.tasks.catalog import ModelDeclaration
from wherry.tasks.check.model import check_model
from wherry.tasks.create import LocalTask, create_task

TASK = "text-classification"
ROWS = ["hello", "the quick brown fox jumps over the lazy dog", "a red car"]


@pytest.fixture(scope="module")
def folder(tiny_graph: Callable[[str, str], Path]) -> Path:
    return tiny_graph(TASK, TASK)


def create(backend: str, folder: Path, **parameters: Any) -> LocalTask:
    return create_task(backend, TASK, str(folder), {"threads": 1, **parameters})


def scores(task: LocalTask, texts: list[str]) -> list[list[float]]:
    answer: Any = task.process(task.task.input.validated({"texts": texts}))
    return [
        [label.score for label in sorted(row, key=lambda one: one.label)] for row in answer.results
    ]


def write(path: Path, nodes: list[Any], shapes: dict[str, list[Any]], kind: int = 1) -> Path:
    """A graph of `x` and perhaps others to `y`."""
    inputs, outputs = (
        [helper.make_tensor_value_info(n, kind, a) for n, a in shapes.items() if (n == "y") is last]
        for last in (False, True)
    )
    graph = helper.make_graph(nodes, "g", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    helper.set_model_props(model, {"names": "{0: 'person'}"})
    onnx.save(model, path)
    return path


def opened(path: Path, runtime: Runtime | None = None) -> Graph:
    return Graph(path, Device(), runtime=runtime or OpenVino(), threads=1)


def test_answers_are_those_of_onnx_runtime_alone_and_together(folder: Path, tmp_path: Path) -> None:
    with create("onnxruntime", folder) as one, create("openvino", folder) as other:
        expected = scores(one, ROWS)
        np.testing.assert_allclose(scores(other, ROWS), expected, atol=1e-5)
        alone = [scores(other, [row])[0] for row in ROWS]
        np.testing.assert_allclose(alone, expected, atol=1e-5)
        facts = other.backend.facts()
        assert facts.runtime.startswith("openvino 20")
        assert facts.labels == one.backend.facts().labels
    for _ in range(2):  # the second is opened from what the first has kept
        with create("openvino", folder, precision="fast", cache_dir=str(tmp_path)) as fast:
            np.testing.assert_allclose(scores(fast, ROWS), expected, atol=2e-2)
            assert len([*tmp_path.glob("*.blob")]) == 1


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16])
def test_views_fixed_rows_and_half_precision_run_as_on_onnx_runtime(
    tmp_path: Path, kind: int
) -> None:
    path = write(
        tmp_path / "model.onnx",
        [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Relu", ["h"], ["y"])],
        {"x": [2, 3], "w": [3, "columns"], "y": [2, "columns"]},
        kind,
    )
    x = np.arange(15, dtype=np.float32).reshape(3, 5).T - 7  # a view of turned axes
    weights = np.linspace(-1, 1, 6, dtype=np.float32).reshape(3, 2)
    found = []
    for runtime in (OnnxRuntime(), OpenVino()):
        graph = opened(path, runtime)
        assert graph.inputs["x"] == (2, 3)
        assert graph.metadata == {"names": "{0: 'person'}"}
        found.append(graph.run_rows({"x": x}, shared={"w": weights})["y"])
    assert found[0].shape == (5, 2)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-3, atol=1e-3)


def test_exact_asks_for_float32_and_fast_does_not(folder: Path) -> None:
    from wherry.tasks.backends.onnx.openvino.library import openvino

    for precision, mode in (("exact", "ACCURACY"), ("fast", "PERFORMANCE")):
        runtime = OpenVino(precision=precision, runtime_options={"ENABLE_HYPER_THREADING": False})
        compiled = opened(folder / "model.onnx", runtime).session.compiled
        assert compiled.get_property("EXECUTION_MODE_HINT").name == mode
        assert compiled.get_property("INFERENCE_NUM_THREADS") == 1
        assert compiled.get_property("ENABLE_CPU_PINNING") is False
        assert compiled.get_property("ENABLE_HYPER_THREADING") is False
        if precision == "exact":
            assert compiled.get_property("INFERENCE_PRECISION_HINT") == openvino.Type.f32


def test_a_run_that_fails_raises_and_the_next_answers_its_own_rows(tmp_path: Path) -> None:
    """`infer` of OpenVINO is silent about it, and gives what the run before gave."""
    path = write(
        tmp_path / "model.onnx",
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        {"x": ["rows", "depth"], "w": ["depth", "columns"], "y": ["rows", "columns"]},
    )
    graph, ones = opened(path), np.ones((2, 2), np.float32)
    for _ in range(2):
        assert graph.run({"x": ones, "w": ones})["y"].tolist() == [[2, 2], [2, 2]]
        with pytest.raises(RuntimeError, match="MatMul"):
            graph.run({"x": np.ones((5, 3), np.float32), "w": ones})
    with pytest.raises(ValueError, match="the graph also takes w"):
        graph.run({"x": ones})


def test_a_run_after_one_that_failed_is_refused_where_the_graph_is_gone(tmp_path: Path) -> None:
    """An export that another worker replaced: nothing is answered by what failed."""
    path = write(
        tmp_path / "model.onnx",
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        {"x": ["rows", "depth"], "w": ["depth", "columns"], "y": ["rows", "columns"]},
    )
    graph, ones = opened(path), np.ones((2, 2), np.float32)
    graph.run({"x": ones, "w": ones})
    path.unlink()
    with pytest.raises(RuntimeError, match="MatMul"):
        graph.run({"x": np.ones((5, 3), np.float32), "w": ones})
    with pytest.raises(Exception, match=r"model\.onnx"):  # OpenVINO's own
        graph.run({"x": ones, "w": ones})


_SHORT_OF_MEMORY = """
import resource, sys
import numpy as np
from pathlib import Path
from wherry.protocol.errors import OutOfMemory
from wherry.tasks.backends.device import Device
from wherry.tasks.backends.onnx.graph import Graph
from wherry.tasks.backends.onnx.openvino.runtime import OpenVino

graph = Graph(Path(sys.argv[1]), Device(), runtime=OpenVino(), threads=1)
row, column = np.ones((1, 1), np.float32), np.ones((20000, 1), np.float32)
graph.run({"x": row, "w": row})
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, resource.RLIM_INFINITY))
try:
    graph.run({"x": column, "w": column.T})
except OutOfMemory:
    print("out of memory", graph.run({"x": row, "w": row})["y"].tolist())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_a_batch_beyond_the_memory_is_out_of_memory(tmp_path: Path) -> None:
    path = write(
        tmp_path / "model.onnx",
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        {"x": ["rows", "depth"], "w": ["depth", "columns"], "y": ["rows", "columns"]},
    )
    command = [sys.executable, "-c", _SHORT_OF_MEMORY, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "out of memory [[1.0]]\n"


def test_what_it_cannot_open_is_refused(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"junk")
    with pytest.raises(ModelRefused, match=r"broken\.onnx: OpenVINO cannot open it"):
        opened(broken)
    shapes: dict[str, list[Any]] = {"x": ["rows"], "y": ["rows"]}
    unknown = [helper.make_node("NoSuch", ["x"], ["y"], domain="mine")]
    with pytest.raises(ModelRefused, match=r"OpenVINO cannot open it: .*mine\.NoSuch"):
        opened(write(tmp_path / "unknown.onnx", unknown, shapes))
    with pytest.raises(ModelRefused, match="device cuda:0: OpenVINO computes on the CPU"):
        Graph(folder / "model.onnx", Device("cuda:0"), runtime=OpenVino())
    chosen = Device("cuda:0", asked="auto:0")
    Graph(folder / "model.onnx", chosen, runtime=OpenVino(), threads=1)
    assert chosen.warnings[0].startswith("computing on the CPU: OpenVINO")


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"precision": "half"}, "precision 'half': use exact or fast"),
        ({"runtime_options": {"NO_SUCH": 1}}, "OpenVINO's CPU knows no NO_SUCH"),
        ({"providers": ["CPUExecutionProvider"]}, "providers"),
        ({"session_options": {}}, "session_options"),
        ({"optimization": "all"}, "optimization"),
        ({"io_binding": True}, "io_binding"),
    ],
)
def test_parameters_that_are_none_of_its_are_refused_by_name(
    folder: Path, parameters: dict[str, Any], said: str
) -> None:
    with pytest.raises((ModelRefused, ValueError), match=said):
        create("openvino", folder, **parameters)
    declared = ModelDeclaration(
        name="m", task=TASK, backend="openvino", source=str(folder), parameters=parameters
    )
    if "runtime_options" not in parameters:  # only the library knows its own
        assert any(said.split()[0] in fault.text for fault in check_model(declared))


def test_its_telemetry_neither_loads_nor_writes(tmp_path: Path) -> None:
    code = (
        "import sys, threading\n"
        "from wherry.tasks.backends.onnx.openvino.library import openvino\n"
        "print(openvino.__name__, [n for n in sys.modules if n.startswith('openvino_telemetry')"
        " and sys.modules[n]], threading.active_count())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "openvino [] 1\n"
    assert [*tmp_path.iterdir()] == []


class _SignalStack(ctypes.Structure):
    _fields_ = (("at", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


@pytest.mark.skipif(sys.platform != "linux", reason="where its memory lies is Linux's to tell")
def test_a_graph_that_another_thread_lets_go_leaves_the_stack_for_signals(folder: Path) -> None:
    """Python takes signals on it: without, SIGTERM would end a worker amid its batch."""
    held = [create("openvino", folder)]
    assert scores(held[0], ROWS)
    with ThreadPoolExecutor(1) as other:
        other.submit(held.clear).result(60)
        gc.collect()
    stack = _SignalStack()
    assert ctypes.CDLL(None).sigaltstack(None, ctypes.byref(stack)) == 0
    maps = Path("/proc/self/maps").read_text().splitlines()
    areas = [[int(end, 16) for end in line.split()[0].split("-")] for line in maps]
    assert not stack.at or any(start <= stack.at < end for start, end in areas)
