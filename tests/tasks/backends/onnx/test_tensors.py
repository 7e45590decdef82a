"""The task `tensor`: any graph's own tensors, held against ONNX Runtime called directly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

from wherry.protocol import codec, v2
from wherry.protocol.datatypes import Datatype
from wherry.protocol.errors import BackendError, InvalidRequest, RowError
from wherry.protocol.request_check import check_inputs
from wherry.tasks.backends import create_backend
from wherry.tasks.backends.base import Backend, ModelRefused
from wherry.tasks.backends.device import Device
from wherry.tasks.base import TaskInput, TaskOutput
from wherry.tasks.create import create_task
from wherry.tasks.multimodal.tensor import TensorInput, TensorOutput

from . import raw_graphs

NUMPY: dict[str, Any] = {
    "BOOL": np.bool_,
    **{f"INT{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
    "BYTES": object,
}


def loaded(folder: Path, **parameters: Any) -> Backend:
    backend = create_backend("onnxruntime", "tensor", str(folder), device=Device(), **parameters)
    backend.load()
    backend.warm_up()
    return backend


def values(datatype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Numbers to the ends of their range, or texts."""
    rng = np.random.default_rng(7)
    if datatype == "BYTES":
        texts = np.empty(shape, object)
        texts.ravel()[:] = [f"{n} ü 模" for n in range(texts.size)]
        return texts
    kind = np.dtype(NUMPY[datatype])
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        array = rng.integers(limits.min, limits.max, shape, dtype=kind, endpoint=True)
        array.flat[:2] = limits.min, limits.max
        return array
    return (rng.normal(size=shape) * 100).astype(kind)


def request(feed: Mapping[str, NDArray[Any]], *, binary: bool) -> v2.InferenceRequest:
    """A request of arrays, over the wire and back."""
    names = {np.dtype(kind): name for name, kind in NUMPY.items()}
    tensors = []
    for name, array in feed.items():
        datatype = Datatype(names[array.dtype])
        data: Any = array.ravel().tolist() if datatype is Datatype.BYTES else array.tobytes()
        if not binary:
            data = array.tolist() if array.ndim else [array.item()]
        tensors.append(
            v2.RequestInput(name=name, shape=list(array.shape), datatype=datatype, data=data)
        )
    asked = v2.InferenceRequest(inputs=tensors)
    return codec.decode_request(*codec.encode_request(asked, binary=binary))


def arrays(response: v2.InferenceResponse) -> dict[str, NDArray[Any]]:
    found = {}
    for tensor in response.outputs:
        if tensor.datatype is Datatype.BYTES:
            array = np.empty(tensor.element_count, object)
            array[:] = [text.decode() for text in tensor.flat()]
        else:
            array = np.frombuffer(tensor.raw(), NUMPY[tensor.datatype])
        found[tensor.name] = array.reshape(tensor.shape)
    return found


def answered(backend: Backend, asked: v2.InferenceRequest) -> dict[str, NDArray[Any]]:
    """What a request is answered, as a worker does it."""
    metadata = [spec.metadata() for spec in backend.task.inputs]
    check_inputs(asked, metadata, [spec.metadata() for spec in backend.task.outputs])
    rows = backend.task.input.from_inference_request(asked).rows()
    return arrays(joined(backend, rows).to_inference_response("m"))


def joined(backend: Backend, rows: Sequence[TaskInput]) -> TaskOutput:
    """What rows are answered, as one."""
    answers = []
    for answer in backend.run(rows):
        assert isinstance(answer, TaskOutput), answer
        answers.append(answer)
    return backend.task.output.join(answers)


def direct(folder: Path, feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    session = ort.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    names = [node.name for node in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(feed)), strict=True))


def check(backend: Backend, folder: Path, feed: dict[str, NDArray[Any]]) -> None:
    binaries = (True, False) if all(a.dtype != np.float16 for a in feed.values()) else (True,)
    wanted = direct(folder, feed)
    for binary in binaries:
        found = answered(backend, request(feed, binary=binary))
        assert found.keys() == wanted.keys()
        for name, array in wanted.items():
            assert found[name].dtype == array.dtype
            assert np.array_equal(found[name], array), name


@pytest.mark.parametrize("datatype", sorted(NUMPY))
@pytest.mark.parametrize("shape", [(1, 4), (3, 2)])
def test_every_datatype_is_answered_as_onnxruntime_does(
    tmp_path: Path, datatype: str, shape: tuple[int, ...]
) -> None:
    folder = raw_graphs.same(tmp_path / "graph", datatype)
    check(loaded(folder), folder, {"x": values(datatype, shape)})


def test_bfloat16_goes_through_bit_by_bit(tmp_path: Path) -> None:
    folder = raw_graphs.same(tmp_path / "graph", "BF16")
    backend = loaded(folder)
    bits = np.arange(0, 2**15, 811, dtype=np.uint16)[:36].reshape(4, 9)
    tensor = v2.RequestInput(name="x", shape=[4, 9], datatype=Datatype.BF16, data=bits.tobytes())
    rows = backend.task.input.from_inference_request(v2.InferenceRequest(inputs=[tensor])).rows()
    response = joined(backend, rows).to_inference_response("m")
    assert response.outputs[0].datatype is Datatype.BF16
    assert np.array_equal(np.frombuffer(response.outputs[0].raw(), np.uint16).reshape(4, 9), bits)
    (answer,) = backend.run([TensorInput(feeds=[{"x": [1.5, -2.0, 3.0000001]}])])
    assert isinstance(answer, TensorOutput)
    assert answer.results == [{"y": [1.5, -2.0, 3.0]}]


GRAPHS: dict[str, tuple[Callable[[Path], Path], dict[str, NDArray[Any]], bool]] = {
    "several inputs and outputs": (
        raw_graphs.pair,
        {"a": values("FP32", (3, 5)), "b": values("INT8", (3, 5)).astype(np.int32)},
        True,
    ),
    "a text a row": (
        raw_graphs.named,
        {"x": values("FP32", (3, 3)), "name": values("BYTES", (3,))},
        True,
    ),
    "a first axis that is fixed": (
        lambda folder: raw_graphs.pair(folder, (2, 4)),
        {"a": values("FP32", (2, 4)), "b": values("INT8", (2, 4)).astype(np.int32)},
        False,
    ),
    "rows that depend on each other": (raw_graphs.over_rows, {"x": values("FP32", (4, 3))}, False),
    "an input without axes": (
        raw_graphs.scalars,
        {"x": values("FP32", (2, 3)), "scale": np.array(2.5, np.float32)},
        False,
    ),
    "as many outputs as were found": (
        raw_graphs.found,
        {"x": np.array([[0, 1, 0], [2, 0, 3]], np.float32)},
        False,
    ),
    "nothing found": (raw_graphs.found, {"x": np.zeros((2, 3), np.float32)}, False),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_every_kind_of_graph_is_answered_as_onnxruntime_does(tmp_path: Path, name: str) -> None:
    write, feed, batched = GRAPHS[name]
    folder = write(tmp_path / "graph")
    backend = loaded(folder)
    told = backend.facts().tensors
    assert told is not None
    assert told["batched"] is batched
    assert (backend.company.batching == "one-by-one") is not batched
    check(backend, folder, feed)


def test_rows_of_several_shapes_share_what_they_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = raw_graphs.pair(tmp_path / "graph")
    backend = loaded(folder)
    feeds = [
        {"a": values("FP32", (1, width)), "b": np.full((1, width), 3, np.int32)}
        for width in (5, 2, 5, 2, 7)
    ]
    asked = [request(feed, binary=True) for feed in feeds]
    rows = [backend.task.input.from_inference_request(one).rows()[0] for one in asked]
    sizes: list[int] = []
    outputs = backend._outputs  # type: ignore[attr-defined] # counted

    def count(feed: dict[str, NDArray[Any]]) -> Any:
        sizes.append(len(feed["a"]))
        return outputs(feed)

    monkeypatch.setattr(backend, "_outputs", count)
    answers = backend.run(rows)
    assert sizes == [2, 2, 1]
    for answer, feed in zip(answers, feeds, strict=True):
        assert isinstance(answer, TaskOutput)
        found = arrays(answer.to_inference_response("m"))
        for name, array in direct(folder, feed).items():
            assert np.array_equal(found[name], array)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"datatype": "FP64", "data": [0.0] * 6}, "'a': expected FP32, got FP64"),
        ({"shape": [6], "data": [0.0] * 6}, r"'a': expected shape \[-1, -1\], got \[6\]"),
        ({"shape": [1, 3], "data": [0.0] * 3}, "'b': expected 1 rows, as 'a' has, got 2"),
        ({"name": "c"}, "unknown input 'c'; the model takes 'a', 'b'"),
    ],
)
def test_what_a_graph_does_not_take_is_refused_by_tensor(
    tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    backend = loaded(raw_graphs.pair(tmp_path / "graph"))
    feed = {"a": values("FP32", (2, 3)), "b": np.zeros((2, 3), np.int32)}
    asked = request(feed, binary=False)
    fields = {**dict(asked.inputs[0]), **change}
    asked.inputs[0] = v2.RequestInput(**fields)
    with pytest.raises(InvalidRequest, match=says):
        answered(backend, asked)


def test_a_row_that_the_graph_does_not_take_fails_alone(tmp_path: Path) -> None:
    backend = loaded(raw_graphs.pair(tmp_path / "graph"))
    good = TensorInput(feeds=[{"a": [1.0, 2.0], "b": [3, 4]}])
    bad = TensorInput(feeds=[{"a": [1.0, 2.0], "b": [3, 4, 5]}])
    first, failed, last = backend.run([good, bad, good])
    assert isinstance(failed, RowError)
    assert "the graph does not take it" in failed.message
    assert first == last
    assert isinstance(first, TensorOutput)
    assert first.results == [{"total": [4.0, 6.0], "greatest": 1}]


@pytest.mark.parametrize(
    ("feed", "says"),
    [
        ({"a": [1.0], "b": [1], "c": 2}, "unknown input 'c'"),
        ({"a": [1.0]}, "missing input 'b'"),
        ({"a": [[1.0]], "b": [1]}, r"'a': expected FP32 of shape \[-1\], got shape \[1, 1\]"),
        ({"a": ["x"], "b": [1]}, "'a': FP32 data holds"),
        ({"a": [1.0], "b": [2**31]}, "'b': 2147483648 is out of the range of INT32"),
        ({"a": [[1.0], 2.0], "b": [1]}, "ragged"),
    ],
)
def test_a_feed_is_refused_by_tensor(tmp_path: Path, feed: dict[str, Any], says: str) -> None:
    backend = loaded(raw_graphs.pair(tmp_path / "graph"))
    with pytest.raises(InvalidRequest, match=says):
        backend.task.input.validated({"feeds": [feed]})
    (answer,) = backend.run([TensorInput(feeds=[feed])])
    assert isinstance(answer, RowError)
    with pytest.raises(RowError, match=says):
        raise answer


@pytest.mark.parametrize(("datatype", "value"), [("FP16", 70000.0), ("BF16", 3.4e38)])
def test_a_number_that_a_half_float_cannot_hold_is_refused(
    tmp_path: Path, datatype: str, value: float
) -> None:
    backend = loaded(raw_graphs.same(tmp_path / "graph", datatype))
    with pytest.raises(InvalidRequest, match=f"out of the range of {datatype}"):
        backend.task.input.validated({"feeds": [{"x": [value]}]})


def test_the_operator_may_say_what_the_first_axis_is(tmp_path: Path) -> None:
    folder = raw_graphs.over_rows(tmp_path / "graph")
    assert (loaded(folder, batched=True).facts().tensors or {})["batched"] is True
    folder = raw_graphs.pair(tmp_path / "other")
    assert (loaded(folder, batched=False).facts().tensors or {})["batched"] is False
    fixed = raw_graphs.found(tmp_path / "fixed")
    with pytest.raises(ModelRefused, match="batched: its first axis of x is fixed"):
        loaded(fixed, batched=True)


def test_rows_whose_answers_differ_in_shape_make_no_tensor(tmp_path: Path) -> None:
    backend = loaded(raw_graphs.same(tmp_path / "graph", "FP32"))
    rows = [
        backend.task.input.from_inference_request(
            request({"x": values("FP32", (1, width))}, binary=True)
        )
        for width in (2, 3)
    ]
    both = joined(backend, rows)
    with pytest.raises(BackendError, match=r"'y' has rows of the shapes \(2,\), \(3,\)"):
        both.to_inference_response("m")


def test_a_row_that_failed_is_zeros_beside_others(tmp_path: Path) -> None:
    backend = loaded(raw_graphs.same(tmp_path / "graph", "FP32"))
    rows = backend.task.input.from_inference_request(
        request({"x": np.ones((2, 2), np.float32)}, binary=True)
    ).rows()
    output = backend.task.output
    good = joined(backend, rows).rows()
    some = output.join([good[0], output.empty(), good[1]])
    found = arrays(some.to_inference_response("m"))["y"]
    assert found.tolist() == [[1, 1], [0, 0], [1, 1]]


def test_a_graph_answers_in_this_process(tmp_path: Path) -> None:
    folder = raw_graphs.pair(tmp_path / "graph")
    with create_task("onnxruntime", "tensor", str(folder)) as task:
        feed = {"a": np.ones(2, np.float32), "b": np.arange(2, dtype=np.int32)}
        output = task.process(TensorInput(feeds=[feed]))
    assert isinstance(output, TensorOutput)
    assert output.results == [{"total": [1.0, 2.0], "greatest": 1}]
