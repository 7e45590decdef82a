"""Graphs that write say what the model they were made of says, in whatever form they lie there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.export import export

TEXTS = ["the quick brown fox", "hello", "my name is ada and i live in london what"]

#: Ways to write: greedy, beams, and chance.
WAYS: list[dict[str, Any]] = [
    {},
    {"num_beams": 3},
    {"do_sample": True, "temperature": 1.5, "seed": 1},
]

Export = Callable[[str], tuple[Path, Path]]


@pytest.fixture(scope="module")
def exported(tiny_model: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Export:
    """A tiny model, and its graphs."""
    made: dict[str, tuple[Path, Path]] = {}

    def make(name: str) -> tuple[Path, Path]:
        if name not in made:
            model, folder = tiny_model(name), tmp_path_factory.mktemp("graphs")
            export(str(model), folder, name)
            made[name] = (model, folder)
        return made[name]

    return make


def generations(task: LocalTask, texts: list[str], **way: Any) -> list[Any]:
    given = task.task.input.validated({"texts": texts, "max_new_tokens": 8, **way})
    output: Any = task.process(given)
    return [(one.text, one.finish_reason, one.completion_tokens) for one in output.generations]


@pytest.mark.parametrize("name", ["text-generation", "text2text-generation"])
def test_graphs_write_what_their_model_writes(name: str, exported: Export) -> None:
    model, graphs = exported(name)
    with (
        create_task("transformers", name, str(model)) as own,
        create_task("onnxruntime", name, str(graphs), {"threads": 1}) as task,
    ):
        assert task.backend.company.batching == own.backend.company.batching == "padded"
        expected: list[Any] = []
        for way in WAYS:
            expected = generations(own, TEXTS, **way)
            assert generations(task, TEXTS, **way) == expected
            alone = [generations(task, [text], **way)[0] for text in TEXTS]
            assert alone == expected
        assert len({text for text, *_ in expected}) == len(TEXTS)
        each: list[dict[str, Any]] = [
            {"max_new_tokens": 3},
            {"repetition_penalty": 1.5},
            {**WAYS[2], "max_new_tokens": 5},
        ]
        rows = [
            task.task.input.validated({"texts": [text], "max_new_tokens": 8, **way})
            for text, way in zip(TEXTS, each, strict=True)
        ]
        answers: list[Any] = task.backend.run(rows)
        mixed = [one for answer in answers for one in answer.generations]
        assert [(one.text, one.finish_reason, one.completion_tokens) for one in mixed] == [
            generations(own, [text], **way)[0] for text, way in zip(TEXTS, each, strict=True)
        ]
        scores = []
        for run in (own, task):
            wanted = {"texts": TEXTS, "max_new_tokens": 4, "logprobs": 1}
            output: Any = run.process(run.task.input.validated(wanted))
            scores += [[token.logprob for token in one.tokens] for one in output.generations]
        for one, other in zip(scores[:3], scores[3:], strict=True):
            assert one == pytest.approx(other, abs=1e-3)


def with_branches(folder: Path, *, merged: Path) -> None:
    """Make one graph of two decoders, as Optimum does: use_cache_branch says which half runs."""
    first, later = (
        onnx.load(folder / name) for name in ("decoder_model.onnx", "decoder_with_past_model.onnx")
    )
    helper = onnx.helper
    inputs = {node.name: node for model in (first, later) for node in model.graph.input}
    outputs = {node.name: node for node in first.graph.output}
    halves = []
    for model, prefix in ((later, "later "), (first, "first ")):
        part = onnx.compose.add_prefix(model, prefix, rename_inputs=False, rename_outputs=True)
        nodes, weights = [*part.graph.node], [*part.graph.initializer]
        given = {node.name for node in part.graph.output}
        results = []
        for name, node in outputs.items():
            out = f"{prefix}{name}"
            if out not in given:  # nothing, for what an encoder made
                empty = onnx.numpy_helper.from_array(
                    np.zeros((0, 1, 0, 1), np.float32), f"{out} nothing"
                )
                weights.append(empty)
                nodes.append(helper.make_node("Identity", [empty.name], [out]))
            results.append(
                helper.make_tensor_value_info(out, node.type.tensor_type.elem_type, None)
            )
        halves.append(helper.make_graph(nodes, prefix.strip(), [], results, weights))
    branch = helper.make_tensor_value_info("use_cache_branch", onnx.TensorProto.BOOL, [1])
    node = helper.make_node(
        "If", ["use_cache_branch"], [*outputs], then_branch=halves[0], else_branch=halves[1]
    )
    graph = helper.make_graph([node], "merged", [*inputs.values(), branch], [*outputs.values()])
    model = helper.make_model(graph, opset_imports=first.opset_import, ir_version=first.ir_version)
    onnx.save(model, merged)


@pytest.mark.parametrize("form", ["split", "merged", "without past", "in onnx, quantized names"])
def test_decoders_are_read_in_every_form(form: str, exported: Export, tmp_path: Path) -> None:
    _, graphs = exported("text2text-generation")
    folder = shutil.copytree(graphs, tmp_path / "folder")
    expected_file = ""
    if form == "merged":
        with_branches(folder, merged=folder / "decoder_model_merged.onnx")
        (folder / "decoder_model.onnx").unlink()
        (folder / "decoder_with_past_model.onnx").unlink()
    elif form == "without past":
        (folder / "decoder_with_past_model.onnx").unlink()
    elif form != "split":
        (folder / "onnx").mkdir()
        for path in folder.glob("*.onnx"):
            path.rename(folder / "onnx" / f"{path.stem}_quantized.onnx")
        (folder / "onnx" / "encoder_model_fp16.onnx").write_bytes(b"another")
        expected_file = "onnx/encoder_model_quantized.onnx"
    name = "text2text-generation"
    with create_task("onnxruntime", name, str(graphs)) as plain:
        expected = generations(plain, TEXTS)
    with create_task("onnxruntime", name, str(folder), {"file": expected_file}) as task:
        assert generations(task, TEXTS) == expected
        assert generations(task, TEXTS, num_beams=2)


def test_a_decoder_alone_is_found_by_its_older_name(exported: Export, tmp_path: Path) -> None:
    _, graphs = exported("text-generation")
    folder = shutil.copytree(graphs, tmp_path / "folder")
    (folder / "onnx").mkdir()
    (folder / "model.onnx").rename(folder / "onnx" / "decoder_model_merged.onnx")
    with (
        create_task("onnxruntime", "text-generation", str(graphs)) as plain,
        create_task("onnxruntime", "text-generation", str(folder)) as task,
    ):
        assert generations(task, TEXTS) == generations(plain, TEXTS)


def test_graphs_that_do_not_write_are_refused_by_what_they_take(
    exported: Export, tmp_path: Path
) -> None:
    _, graphs = exported("text-generation")
    folder = shutil.copytree(graphs, tmp_path / "folder")
    model = onnx.load(folder / "model.onnx")
    for node in model.graph.output:
        if node.name == "present.0.key":
            node.name = "kept.0.key"
    for operation in model.graph.node:
        for place, made in enumerate(operation.output):
            if made == "present.0.key":
                operation.output[place] = "kept.0.key"
        for place, taken in enumerate(operation.input):
            if taken == "present.0.key":
                operation.input[place] = "kept.0.key"
    onnx.save(model, folder / "model.onnx")
    with pytest.raises(
        ModelRefused, match=r"takes past_key_values\.0\.key, which .* does not give"
    ):
        create_task("onnxruntime", "text-generation", str(folder))
    _, other = exported("text2text-generation")
    with pytest.raises(ModelRefused, match="a model of type t5 does not do this task"):
        create_task("onnxruntime", "text-generation", str(other))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "t5"}))
    with pytest.raises(
        ModelRefused, match="expected .* got input_ids, attention_mask, position_ids"
    ):
        create_task("onnxruntime", "text2text-generation", str(folder))
