"""Models that come with code: none of it runs, and the refusal says why."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.helper
import pytest

from wherry.samples.tiny import build
from wherry.tasks.backends import create_backend
from wherry.tasks.backends.device import Device


class Evil:
    """Pickled, it writes a file where it is loaded."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.write_text, (self.target, "was here")


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """What must not be there afterwards."""
    return tmp_path / "written"


def load(task: str, folder: Path, **parameters: Any) -> None:
    create_backend("transformers", task, str(folder), device=Device(), **parameters).load()


def to_pickle(folder: Path, target: Path) -> int:
    """Put a pickle of harm in the place of each file of weights."""
    weights = list(folder.rglob("*.safetensors"))
    for file in weights:
        stem = file.stem.replace("model", "pytorch_model") if file.stem == "model" else file.stem
        file.with_name(f"{stem}.bin").write_bytes(pickle.dumps(Evil(target)))
        file.unlink()
    return len(weights)


def test_the_pickle_does_harm_where_it_is_loaded(written: Path) -> None:
    pickle.loads(pickle.dumps(Evil(written)))
    assert written.exists()


@pytest.mark.parametrize("task", ["text-classification", "image-classification", "text-to-image"])
def test_weights_in_a_pickle_are_not_loaded(task: str, tmp_path: Path, written: Path) -> None:
    folder = build(task, tmp_path / "model")
    assert to_pickle(folder, written) > 0
    with pytest.raises(Exception, match=r"safetensors|no file named"):
        load(task, folder)
    assert not written.exists()


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_code_beside_the_weights_is_not_run(
    tmp_path: Path, written: Path, file: str, known: bool
) -> None:
    folder = build("text-classification", tmp_path / "model")
    (folder / "evil.py").write_text(f"open({str(written)!r}, 'w').close()\nclass Evil: pass\n")
    config = json.loads((folder / file).read_text())
    config["auto_map"] = {
        name: ["evil.Evil", "evil.Evil"] if name == "AutoTokenizer" else "evil.Evil"
        for name in ("AutoConfig", "AutoModelForSequenceClassification", "AutoTokenizer")
    }
    if not known:
        config["model_type"] = "evil"
        config["tokenizer_class"] = "Evil"
    (folder / file).write_text(json.dumps(config))
    try:
        load("text-classification", folder)
    except Exception as error:
        assert not known or "trust_remote_code" in str(error)
    assert not written.exists()


@pytest.mark.parametrize("parameter", ["trust_remote_code", "use_safetensors", "allow_pickle"])
def test_models_toml_cannot_ask_for_code(tmp_path: Path, parameter: str) -> None:
    folder = build("text-classification", tmp_path / "model")
    with pytest.raises(ValueError, match=parameter):
        load("text-classification", folder, **{parameter: True})


@pytest.mark.parametrize("location", ["../outside.bin", "{outside}", "sub/../../outside.bin"])
def test_a_graph_reads_no_file_outside_its_folder(tmp_path: Path, location: str) -> None:
    """External data is how large graphs keep their weights; the path is the graph's own word."""
    outside = tmp_path / "outside.bin"
    outside.write_bytes(np.full(4, 7, np.float32).tobytes())
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    file = folder / "model.onnx"
    file.write_bytes(_graph(location.format(outside=outside)).SerializeToString())
    from wherry.tasks.backends.onnx.graph import Graph
    from wherry.tasks.backends.onnx.openvino.runtime import OpenVino
    from wherry.tasks.backends.onnx.session import OnnxRuntime

    for runtime in (OnnxRuntime(), OpenVino()):
        with pytest.raises(Exception, match=r"(?i)external data|outside|escape|absolute"):
            Graph(file, Device(), runtime=runtime)


def test_a_graph_reads_its_own_external_data(tmp_path: Path) -> None:
    from wherry.tasks.backends.onnx.graph import Graph
    from wherry.tasks.backends.onnx.openvino.runtime import OpenVino
    from wherry.tasks.backends.onnx.session import OnnxRuntime

    (tmp_path / "weights.bin").write_bytes(np.full(4, 7, np.float32).tobytes())
    (tmp_path / "model.onnx").write_bytes(_graph("weights.bin").SerializeToString())
    for runtime in (OnnxRuntime(), OpenVino()):
        graph = Graph(tmp_path / "model.onnx", Device(), runtime=runtime)
        assert graph.run({"x": np.ones(4, np.float32)})["y"].tolist() == [8, 8, 8, 8]


def _graph(location: str) -> onnx.ModelProto:
    """x + weights, the weights in another file."""
    weights = onnx.TensorProto(
        name="weights",
        data_type=onnx.TensorProto.FLOAT,
        dims=[4],
        data_location=onnx.TensorProto.EXTERNAL,
    )
    weights.external_data.add(key="location", value=location)
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Add", ["x", "weights"], ["y"])],
        "adds",
        [value("x", onnx.TensorProto.FLOAT, [4])],
        [value("y", onnx.TensorProto.FLOAT, [4])],
        [weights],
    )
    return onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8
    )
