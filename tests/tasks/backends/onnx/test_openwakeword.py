"""openWakeWord's chain of graphs, small ones of its names and shapes, against its steps in a loop.

Its own trained graphs and its own program are in tests/peers/test_openwakeword.py.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.backends.onnx.dialects import openwakeword
from wherry.tasks.backends.onnx.files import main_graph, opened_with
from wherry.tasks.backends.onnx.graph import Arrays, Graph
from wherry.tasks.create import create_task

from ....support import sounds

TASK = "audio-classification"

#: What a graph of two words calls its answer; class 0 is no word.
TWO = '{"1": "lights_on", "2": "lights_off"}'


def _save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    taken: tuple[str, Sequence[int | str]],
    given: tuple[str, Sequence[int | str]],
    weights: Mapping[str, NDArray[Any]],
) -> None:
    graph = helper.make_graph(
        [*nodes],
        path.stem,
        [helper.make_tensor_value_info(taken[0], TensorProto.FLOAT, taken[1])],
        [helper.make_tensor_value_info(given[0], TensorProto.FLOAT, given[1])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.save(model, path)


def _word(folder: Path, name: str, vectors: int, output: str, seed: int, labels: int = 1) -> None:
    random = np.random.default_rng(seed)
    nodes = [
        helper.make_node("Flatten", ["x.1"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["sums"]),
        helper.make_node("Sigmoid", ["sums"], [output]),
    ]
    weights = random.normal(0, 0.05, (vectors * 96, labels)).astype(np.float32)
    given = (output, (1, labels))
    _save(folder / f"{name}.onnx", nodes, ("x.1", (1, vectors, 96)), given, {"weights": weights})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, random = tmp_path_factory.mktemp("wake"), np.random.default_rng(0)
    kernels = random.normal(0, 1e-4, (32, 1, 512)).astype(np.float32)
    nodes = [
        helper.make_node("Unsqueeze", ["input", "one"], ["wide"]),
        helper.make_node("Conv", ["wide", "kernels"], ["bands"], strides=[160]),
        helper.make_node("Abs", ["bands"], ["loud"]),
        # Decibels count down from the loudest of all that is heard at once.
        helper.make_node("ReduceMax", ["loud"], ["loudest"], keepdims=0),
        helper.make_node("Sub", ["loud", "loudest"], ["quiet"]),
        helper.make_node("Unsqueeze", ["quiet", "one"], ["deep"]),
        helper.make_node("Transpose", ["deep"], ["output"], perm=[0, 1, 3, 2]),
    ]
    shapes: tuple[Any, Any] = (("batch", "samples"), ("time", 1, "frames", 32))
    weights = {"kernels": kernels, "one": np.array([1])}
    _save(
        folder / "melspectrogram.onnx", nodes, ("input", shapes[0]), ("output", shapes[1]), weights
    )
    nodes = [
        helper.make_node("Flatten", ["input_1"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["sums"]),
        helper.make_node("Tanh", ["sums"], ["tanh"]),
        helper.make_node("Reshape", ["tanh", "shape"], ["conv2d_19"]),
    ]
    weights = {
        "weights": random.normal(0, 0.02, (76 * 32, 96)).astype(np.float32),
        "shape": np.array([-1, 1, 1, 96]),
    }
    taken: tuple[str, Any] = ("input_1", ("n", 76, 32, 1))
    _save(folder / "embedding_model.onnx", nodes, taken, ("conv2d_19", ("n", 1, 1, 96)), weights)
    _word(folder, "hey_wherry_v0.1", 16, "13", 1)
    _word(folder, "lights_v0.1", 20, TWO, 2, labels=3)
    (folder / "silero_vad.onnx").write_bytes(b"hears no word")
    return folder


def expected(folder: Path, samples: NDArray[np.float32]) -> dict[str, float]:
    """`predict_clip` of openWakeWord, a chunk after the other, and the greatest it answers."""
    run: dict[str, Any] = {  # its types say that a graph may answer anything
        path.stem: onnxruntime.InferenceSession(path)
        for path in folder.glob("*.onnx")
        if path.stem != "silero_vad"
    }

    def framed(heard: NDArray[Any]) -> NDArray[Any]:
        (frames,) = run["melspectrogram"].run(None, {"input": heard[None].astype(np.float32)})
        made: NDArray[Any] = frames.squeeze() / 10 + 2
        return made

    def vector(frames: NDArray[Any]) -> NDArray[Any]:
        window = frames[-76:].astype(np.float32)[None, ..., None]
        made: NDArray[Any] = run["embedding_model"].run(None, {"input_1": window})[0].squeeze()
        return made

    sound = np.pad((samples * 32768).round().clip(-32768, 32767).astype(np.int16), 16_000)
    frames, vectors = np.ones((76, 32)), [vector(framed(np.zeros(160_000)))] * 120
    answers = []
    for start in range(0, len(sound) - 1280, 1280):
        end = start + 1280
        frames = np.concatenate([frames, framed(sound[max(0, end - 1760) : end])])
        vectors.append(vector(frames))
        last = np.stack(vectors).astype(np.float32)
        (one,) = run["hey_wherry_v0.1"].run(None, {"x.1": last[None, -16:]})[0][0]
        _, on, off = run["lights_v0.1"].run(None, {"x.1": last[None, -20:]})[0][0]
        answers.append((one, on, off))
    names = ("hey_wherry_v0.1", "lights_on", "lights_off")
    return dict(zip(names, np.max(answers[5:], axis=0).tolist(), strict=True))


def heard(folder: Path, files: list[bytes], **parameters: Any) -> list[dict[str, float]]:
    given = {"threads": 1, **parameters}
    with create_task("onnxruntime", TASK, str(folder), given) as task:
        output: Any = task.process(task.task.input.validated({"audio": files}))
    return [{one.label: one.score for one in row} for row in output.results]


def test_words_are_heard_as_in_openwakewords_own_loop(folder: Path) -> None:
    loud = ((0.7, 440, 0.5), (0.2, 900, 0.1), (0.7, 300, 0.001))
    tones = [sounds.tone(seconds, hz) * np.float32(by) for seconds, hz, by in loud]
    files = [sounds.file(tone) for tone in tones]
    found = heard(folder, files)
    for row, tone in zip(found, tones, strict=True):
        assert row == pytest.approx(expected(folder, tone), abs=1e-3)
    assert heard(folder, files[1:2])[0] == pytest.approx(found[1], abs=1e-6)
    assert len({round(row["lights_on"], 2) for row in found}) > 1  # rows do differ


def test_a_long_sound_takes_no_more_memory_than_a_short_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openwakeword, "_TOGETHER", 8)
    tone, taken, read = sounds.tone(1.3, 440) * np.float32(0.5), list[int](), Graph.read

    def counted(self: Graph, output: str, arrays: Arrays) -> NDArray[Any]:
        taken.extend(len(array) for name, array in arrays.items() if name == "input_1")
        return read(self, output, arrays)

    monkeypatch.setattr(Graph, "read", counted)
    (found,) = heard(folder, [sounds.file(tone)])
    assert found == pytest.approx(expected(folder, tone), abs=1e-3)
    assert max(taken) == 8
    assert sum(taken) > 40


def test_one_word_is_chosen_by_its_file_and_may_be_called_otherwise(folder: Path) -> None:
    file = sounds.file(sounds.tone(0.3, 440))
    every = heard(folder, [file])[0]
    (one,) = heard(folder, [file], file="hey_wherry_v0.1.onnx", labels=["wherry"])
    assert one == pytest.approx({"wherry": every["hey_wherry_v0.1"]}, abs=1e-6)


def test_what_lies_beside_words_is_told(folder: Path, tmp_path: Path) -> None:
    main = main_graph(folder)
    assert main.name == "melspectrogram.onnx"
    assert len({*opened_with(main)}) == 5
    lone = Path(shutil.copytree(folder, tmp_path / "lone"))
    for path in (*lone.glob("hey*"), *lone.glob("lights*")):
        path.unlink()
    with pytest.raises(ModelRefused, match="and no graph of a word"):
        heard(lone, [])
    shutil.copy(lone / "melspectrogram.onnx", lone / "strange.onnx")
    with pytest.raises(ModelRefused, match=r"strange.onnx: input .*take \(B, n, 96\) and give"):
        heard(lone, [])
    (lone / "embedding_model.onnx").unlink()
    with pytest.raises(ModelRefused, match="holds no embedding_model.onnx"):
        heard(lone, [])
