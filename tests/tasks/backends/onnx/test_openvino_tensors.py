"""The task `tensor` on OpenVINO: answers are those of ONNX Runtime, or the graph is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from wherry.protocol import v2
from wherry.protocol.datatypes import Datatype
from wherry.protocol.errors import RowError
from wherry.tasks.backends import create_backend
from wherry.tasks.backends.base import Backend, ModelRefused
from wherry.tasks.backends.device import Device
from wherry.tasks.backends.onnx.openvino.whole_numbers import COMPUTED, MOVED
from wherry.tasks.catalog import ModelDeclaration
from wherry.tasks.multimodal.tensor import TensorInput, TensorOutput
from wherry.tasks.tuning.candidates import candidates_of

from . import raw_graphs
from .test_tensors import GRAPHS, answered, arrays, direct, joined, request, values

WHOLE = [f"{sign}{bits}" for sign in ("INT", "UINT") for bits in (8, 16, 32, 64)]


def loaded(folder: Path, **parameters: Any) -> Backend:
    backend = create_backend(
        "openvino", "tensor", str(folder), device=Device(), threads=1, **parameters
    )
    backend.load()
    return backend


def check(backend: Backend, folder: Path, feed: dict[str, NDArray[Any]]) -> None:
    """Whole numbers are the same, and floats but for the order in which they are added."""
    for binary in (True, False) if all(a.dtype != np.float16 for a in feed.values()) else (True,):
        found = answered(backend, request(feed, binary=binary))
        wanted = direct(folder, feed)
        assert found.keys() == wanted.keys()
        for name, array in wanted.items():
            assert found[name].dtype == array.dtype
            assert found[name].shape == array.shape
            if array.dtype.kind == "f":
                np.testing.assert_allclose(found[name], array, rtol=1e-5, atol=1e-6)
            else:
                assert np.array_equal(found[name], array), name


def fitting(datatype: str, shape: tuple[int, ...], most: int = MOVED) -> NDArray[Any]:
    """Numbers to the ends of what OpenVINO holds of a datatype."""
    array = values(datatype, shape)
    if array.dtype.kind not in "iu":
        return array
    limits = np.iinfo(array.dtype)
    least, greatest = max(limits.min, -most - 1), min(limits.max, most)
    array = np.random.default_rng(3).integers(least, greatest, shape, array.dtype, endpoint=True)
    array.flat[:2] = least, greatest
    return array


@pytest.mark.parametrize("datatype", ["BOOL", "FP16", "FP32", *WHOLE])
@pytest.mark.parametrize("shape", [(1, 4), (3, 2)])
def test_every_datatype_that_it_holds_is_answered_as_onnxruntime_does(
    tmp_path: Path, datatype: str, shape: tuple[int, ...]
) -> None:
    folder = raw_graphs.same(tmp_path / "graph", datatype)
    check(loaded(folder), folder, {"x": fitting(datatype, shape)})


def test_bfloat16_goes_through_bit_by_bit(tmp_path: Path) -> None:
    backend = loaded(raw_graphs.same(tmp_path / "graph", "BF16"))
    bits = np.arange(0, 2**16, dtype=np.uint16).reshape(256, 256)
    tensor = v2.RequestInput(
        name="x", shape=[256, 256], datatype=Datatype.BF16, data=bits.tobytes()
    )
    rows = backend.task.input.from_inference_request(v2.InferenceRequest(inputs=[tensor])).rows()
    (output,) = joined(backend, rows).to_inference_response("m").outputs
    assert output.datatype is Datatype.BF16
    assert np.array_equal(np.frombuffer(output.raw(), np.uint16).reshape(256, 256), bits)


@pytest.mark.parametrize("name", sorted(GRAPHS.keys() - {"a text a row"}))
def test_every_kind_of_graph_is_answered_as_onnxruntime_does(tmp_path: Path, name: str) -> None:
    write, feed, batched = GRAPHS[name]
    folder = write(tmp_path / "graph")
    backend = loaded(folder)
    facts = backend.facts()
    assert facts.runtime.startswith("openvino 20")
    assert facts.tensors is not None
    assert facts.tensors["batched"] is batched
    assert (backend.company.batching == "one-by-one") is not batched
    check(backend, folder, feed)


def test_rows_of_several_requests_share_a_forward(tmp_path: Path) -> None:
    folder = raw_graphs.pair(tmp_path / "graph")
    backend = loaded(folder)
    feeds = [
        {"a": values("FP32", (1, width)), "b": np.full((1, width), 3, np.int32)}
        for width in (5, 2, 5)
    ]
    asked = [request(feed, binary=True) for feed in feeds]
    rows = [backend.task.input.from_inference_request(one).rows()[0] for one in asked]
    for answer, feed in zip(backend.run(rows), feeds, strict=True):
        assert isinstance(answer, TensorOutput)
        found = arrays(answer.to_inference_response("m"))
        for name, array in direct(folder, feed).items():
            assert np.array_equal(found[name], array)


@pytest.mark.parametrize("datatype", ["INT64", "UINT32", "UINT64"])
def test_a_number_of_more_than_32_bits_fails_its_row_alone(tmp_path: Path, datatype: str) -> None:
    backend = loaded(raw_graphs.same(tmp_path / "graph", datatype))
    good, bad = (TensorInput(feeds=[{"x": [1, number]}]) for number in (MOVED, MOVED + 1))
    first, failed, last = backend.run([good, bad, good])
    assert first == last
    assert isinstance(first, TensorOutput)
    assert first.results == [{"y": [1, MOVED]}]
    assert isinstance(failed, RowError)
    assert "'x': 2147483648 is not within -2147483648 to 2147483647" in failed.message
    assert "use backend onnxruntime" in failed.message


def graph(
    folder: Path, operators: Sequence[Any], datatype: str, out: str = "", more: Sequence[str] = ()
) -> Path:
    """A graph of x, and more inputs of its datatype, to y."""
    axes = ("n", "m")
    inputs = [(name, datatype, axes) for name in ("x", *more)]
    constants = [helper.make_tensor("two", raw_graphs.ELEMENTS[datatype], [], [2])]
    outputs = [("y", out or datatype, axes)]
    return raw_graphs.write(folder, operators, inputs, outputs, constants)


node = raw_graphs.node

COMPARED = {
    "Equal": [node("Equal", ["x", "w"], ["y"])],
    "Greater": [node("Greater", ["x", "w"], ["y"])],
    "Max": [node("Max", ["x", "w"], ["y"])],
    "Div": [node("Div", ["x", "two"], ["y"])],
    "Mod": [node("Mod", ["x", "two"], ["y"])],
    "ReduceMax": [node("ReduceMax", ["x"], ["y"], axes=[1], keepdims=1)],
    "Sub": [node("Sub", ["x", "w"], ["y"])],
}


@pytest.mark.parametrize("datatype", ["INT32", "INT64"])
@pytest.mark.parametrize("name", COMPARED)
def test_whole_numbers_that_it_computes_with_have_24_bits(
    tmp_path: Path, datatype: str, name: str
) -> None:
    """Further ones are refused, but where they go round as elsewhere."""
    more = ["w"] if "w" in COMPARED[name][0].input else []
    out = "BOOL" if name in ("Equal", "Greater") else datatype
    folder = graph(tmp_path / "graph", COMPARED[name], datatype, out, more)
    backend = loaded(folder)
    x = fitting(datatype, (5, 4), COMPUTED)
    check(backend, folder, {"x": x, **dict.fromkeys(more, x[::-1])})
    far = TensorInput(feeds=[{key: [COMPUTED + 1] for key in ("x", *more)}])
    (answer,) = backend.run([far])
    if (name, datatype) == ("Sub", "INT32"):
        whole = fitting(datatype, (5, 4))
        check(backend, folder, {"x": whole, "w": whole[::-1]})
        return
    assert isinstance(answer, RowError)
    assert "'x': 16777216 is not within -16777216 to 16777215" in answer.message


_DOUBLE = TensorProto.DOUBLE
_FLOAT = TensorProto.FLOAT

REFUSED: dict[str, tuple[list[Any], str, str, str]] = {
    "FP64": ([node("Relu", ["x"], ["y"])], "FP64", "", "'x': OpenVINO computes FP64 as FP32"),
    "FP64 within": (
        [
            node("Cast", ["x"], ["wide"], to=_DOUBLE),
            node("Exp", ["wide"], ["e"]),
            node("Cast", ["e"], ["y"], to=_FLOAT),
        ],
        "FP32",
        "",
        "Convert 'wide': OpenVINO computes FP64 as FP32",
    ),
    "BYTES": (
        [node("Identity", ["x"], ["y"])],
        "BYTES",
        "",
        "'x': OpenVINO computes with no BYTES",
    ),
    "a sum of 8 bits": ([node("Add", ["x", "x"], ["y"])], "UINT8", "", "Add 'y': .* 8 and 16 bits"),
    "a quotient of 8 bits": (
        [node("Div", ["x", "two"], ["y"])],
        "INT8",
        "",
        "'y': .* 8 and 16 bits",
    ),
    "a sum of 16 bits": ([node("Add", ["x", "x"], ["y"])], "UINT16", "", "Add 'y': .* 16 bits"),
    "a cast to fewer bits": (
        [node("Cast", ["x"], ["y"], to=TensorProto.INT8)],
        "INT32",
        "INT8",
        "Convert 'y': .* 32 bits",
    ),
    "a product of 64 bits": ([node("Mul", ["x", "x"], ["y"])], "INT64", "", "Multiply 'y'"),
    "a difference without a sign": (
        [node("Sub", ["x", "two"], ["y"])],
        "UINT32",
        "",
        "Subtract 'y'",
    ),
    "a sum of all": (
        [node("ReduceProd", ["x"], ["y"], axes=[1], keepdims=1)],
        "INT32",
        "",
        "ReduceProd 'y': .* float32, which has 24 bits",
    ),
    "what follows a product": (
        [node("Mul", ["x", "x"], ["square"]), node("Greater", ["square", "x"], ["y"])],
        "INT32",
        "BOOL",
        "Greater 'y'",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_graph_that_it_would_answer_otherwise_is_refused_by_name(
    tmp_path: Path, name: str
) -> None:
    operators, datatype, out, says = REFUSED[name]
    if datatype == "BYTES":
        folder = raw_graphs.same(tmp_path / "graph", "BYTES")
    else:
        folder = graph(tmp_path / "graph", operators, datatype, out)
    with pytest.raises(ModelRefused, match=rf"model\.onnx: .*{says}.*; use backend onnxruntime"):
        loaded(folder)


def test_what_a_branch_computes_is_looked_at(tmp_path: Path) -> None:
    def branch(name: str, operators: list[Any]) -> Any:
        tensor = helper.make_tensor_value_info(name, _FLOAT, ["n", "m"])
        return helper.make_graph(operators, name, [], [tensor])

    wide = branch(
        "one",
        [node("Cast", ["x"], ["wide"], to=_DOUBLE), node("Cast", ["wide"], ["one"], to=_FLOAT)],
    )
    same = branch("other", [node("Identity", ["x"], ["other"])])
    axes = ("n", "m")
    for number, branches in enumerate(((same, wide), (same, same))):
        then, otherwise = branches
        folder = raw_graphs.write(
            tmp_path / str(number),
            [node("If", ["c"], ["y"], then_branch=then, else_branch=otherwise)],
            [("c", "BOOL", ()), ("x", "FP32", axes)],
            [("y", "FP32", axes)],
        )
        if number:
            x = values("FP32", (2, 3))
            check(loaded(folder), folder, {"c": np.array(True), "x": x})
        else:
            with pytest.raises(ModelRefused, match="Convert 'wide'"):
                loaded(folder)


def test_indices_that_a_graph_finds_may_be_computed_with(tmp_path: Path) -> None:
    """What comes of floats is no further than the axes are long: detectors divide it by classes."""
    nodes = [
        node("ArgMax", ["x"], ["best"], axis=1, keepdims=1),
        node("Div", ["best", "three"], ["query"]),
        node("Mul", ["query", "three"], ["first"]),
        node("Sub", ["best", "first"], ["label"]),
    ]
    axes = ("n", "m")
    folder = raw_graphs.write(
        tmp_path / "graph",
        nodes,
        [("x", "FP32", axes)],
        [("query", "INT64", axes), ("label", "INT64", axes)],
        [helper.make_tensor("three", TensorProto.INT64, [], [3])],
    )
    check(loaded(folder), folder, {"x": values("FP32", (6, 50))})


@pytest.mark.parametrize("task", ["text-classification", "image-classification"])
def test_usual_graphs_are_served(tmp_path: Path, tiny_graph: Any, task: str) -> None:
    folder = tiny_graph(task, task)
    backend = loaded(folder)
    facts = backend.facts().tensors
    assert facts is not None
    feed: dict[str, NDArray[Any]] = {}
    for name, datatype, axes in facts["inputs"]:
        sizes = tuple(
            axis if axis > 0 else (2, 7, 32, 32)[place] for place, axis in enumerate(axes)
        )
        whole = datatype.startswith("INT")
        feed[name] = np.ones(sizes, np.int64) if whole else values(datatype, sizes)
    found = answered(backend, request(feed, binary=True))
    for name, array in direct(folder, feed).items():
        np.testing.assert_allclose(found[name], array, atol=1e-4)


def test_nothing_else_is_tried_for_a_graph_whose_rows_none_knows(tmp_path: Path) -> None:
    folder = raw_graphs.pair(tmp_path / "graph")
    declared = ModelDeclaration(name="m", task="tensor", source=str(folder))
    assert [each.backend for each in candidates_of(declared, "cpu")] == ["onnxruntime"]
    assert [each.backend for each in candidates_of(declared, "cuda:0")] == ["onnxruntime"]
