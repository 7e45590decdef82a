"""A fleet whose worker, forked after its imports, serves a graph on OpenVINO."""

from __future__ import annotations

from pathlib import Path

import pytest

from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.samples.tiny import build
from wherry.tasks.create import create_task
from wherry.tasks.export import export
from wherry.tasks.text.embedding import EmbeddingInput, EmbeddingOutput

_MODELS = """
[[models]]
name = "embedder"
task = "embedding"
backend = "openvino"
source = "{source}"
parameters = {{ threads = 1 }}
"""


@pytest.mark.slow
def test_a_fleet_answers_on_openvino_as_onnx_runtime_does(tmp_path: Path) -> None:
    graph = tmp_path / "graph"
    export(str(build("embedding", tmp_path / "model")), graph, "embedding")
    (tmp_path / "models.toml").write_text(_MODELS.format(source=graph))
    texts = ["hello", "the quick brown fox", "a red car", "who jumps over the lazy dog"]
    with (
        Stack(models=tmp_path / "models.toml", data_dir=tmp_path / "data", flower=False) as stack,
        Client(stack.url) as client,
        create_task("onnxruntime", "embedding", str(graph), {"threads": 1}) as alone,
    ):
        assert stack.failed_models == {}
        rows = [EmbeddingInput(texts=[text]) for text in texts * 8]
        for row, answer in zip(rows, client.map("embedder", rows), strict=True):
            expected = alone.process(row)
            assert isinstance(answer, EmbeddingOutput)
            assert isinstance(expected, EmbeddingOutput)
            assert answer.embeddings[0] == pytest.approx(expected.embeddings[0], abs=1e-4)
