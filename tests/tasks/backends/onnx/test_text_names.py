"""Graphs that read text whose exporter named the outputs after layers, as torch's own does."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
import torch
from transformers import AutoModelForSequenceClassification, pipeline

from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.create import create_task
from wherry.tasks.export import export

#: What `input` of a graph of texts names, in this order.
TAKEN = ("input_ids", "attention_mask", "token_type_ids")

WORDS = ["the red car", "a cat", "hello the dog"]


def process(folder: Path, task: str, fields: Any, **parameters: Any) -> Any:
    with create_task("onnxruntime", task, str(folder), parameters) as served:
        return served.process(served.task.input.validated(fields))


@pytest.mark.parametrize(
    ("task", "fields"),
    [
        ("question-answering", {"questions": WORDS[:1], "contexts": WORDS[2:]}),
        ("embedding", {"texts": WORDS}),
    ],
)
def test_inputs_and_outputs_of_other_names_are_read_as_told(
    tiny_model: Callable[[str], Path], tmp_path: Path, task: str, fields: dict[str, Any]
) -> None:
    folder = tmp_path / "model"
    export(str(tiny_model(task)), folder, task)
    expected = process(folder, task, fields)
    model = onnx.load(folder / "model.onnx")
    names = {out.name: f"linear_{number}" for number, out in enumerate(model.graph.output, 7)}
    for node in model.graph.node:
        node.output[:] = [names.get(name, name) for name in node.output]
        node.input[:] = [names.get(name, name) for name in node.input]
    for out in model.graph.output:
        out.name = names[out.name]
    onnx.save(model, folder / "model.onnx")
    with pytest.raises(ModelRefused, match=r"linear_7 \[.*`outputs` say"):
        process(folder, task, fields)
    assert process(folder, task, fields, outputs=[*names.values()]) == expected
    own = {one.name: f"own_{one.name}" for one in model.graph.input}
    for node in model.graph.node:
        node.input[:] = [own.get(name, name) for name in node.input]
    for one in model.graph.input:
        one.name = own[one.name]
    onnx.save(model, folder / "model.onnx")
    told = {"outputs": [*names.values()], "input": [own.get(name, "") for name in TAKEN]}
    assert process(folder, task, fields, **told) == expected


class Logits(torch.nn.Module):
    """What is exported by hand, as many do."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        return self.model(input_ids=input_ids, attention_mask=attention_mask).logits


def test_a_plain_export_answers_as_its_models_own_pipeline(
    tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    source = tiny_model("text-classification")
    folder = Path(shutil.copytree(source, tmp_path / "model"))
    model = AutoModelForSequenceClassification.from_pretrained(source).eval()
    ids, names = torch.ones(2, 7, dtype=torch.long), ["input_ids", "attention_mask"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tracing
        torch.onnx.export(
            Logits(model),
            (ids, torch.ones_like(ids)),
            folder / "model.onnx",
            input_names=names,
            dynamic_axes={name: {0: "batch", 1: "length"} for name in names},
            dynamo=False,
        )
    (own,) = onnxruntime.InferenceSession(folder / "model.onnx").get_outputs()
    assert own.name != "logits"
    answer = process(folder, "text-classification", {"texts": WORDS}, outputs=[own.name])
    expected = pipeline("text-classification", str(source), device="cpu")(WORDS, top_k=None)
    for found, row in zip(answer.results, expected, strict=True):
        assert [one.label for one in found] == [one["label"] for one in row]
        assert [one.score for one in found] == pytest.approx([o["score"] for o in row], abs=1e-3)
