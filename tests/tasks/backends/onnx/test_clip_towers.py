"""CLIP in two graphs, as transformers.js has it, against transformers' own pipeline."""

from __future__ import annotations

import io
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from PIL import Image

from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.backends.onnx.files import main_graph, opened_with
from wherry.tasks.create import create_task

from ....support import tiny

TASK = "zero-shot-image-classification"
LABELS = ["red car", "cat", "hello the dog"]


class Tower(torch.nn.Module):
    """One half of a CLIP, which gives its vectors alone."""

    def __init__(self, model: Any, features: str) -> None:
        super().__init__()
        self.model, self.features = model, features

    def forward(self, given: torch.Tensor) -> Any:
        return getattr(self.model, self.features)(given).pooler_output


@pytest.fixture(scope="module")
def source(tiny_model: Callable[[str], Path]) -> Path:
    return tiny_model(TASK)


@pytest.fixture(scope="module")
def towers(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip") / "model"
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    (folder / "onnx").mkdir()
    model: Any = hf.AutoModel.from_pretrained(source, attn_implementation="eager").eval()
    edge = model.config.vision_config.image_size
    halves: list[tuple[str, str, str, torch.Tensor, str]] = [
        (
            *("vision_model", "get_image_features", "pixel_values"),
            *(torch.zeros(1, 3, edge, edge), "image_embeds"),
        ),
        (
            *("text_model", "get_text_features", "input_ids"),
            *(torch.ones(2, 7, dtype=torch.long), "text_embeds"),
        ),
    ]
    for name, features, given, value, output in halves:
        axes = {0: "rows", 1: "length"} if given == "input_ids" else {0: "rows"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tracing
            torch.onnx.export(
                Tower(model, features),
                (value,),
                folder / "onnx" / f"{name}.onnx",
                input_names=[given],
                output_names=[output],
                dynamic_axes={given: axes, output: {0: "rows"}},
                dynamo=False,
            )
    return folder


def test_two_graphs_answer_as_their_models_pipeline(source: Path, towers: Path) -> None:
    model = hf.AutoModel.from_pretrained(source)
    scale = model.logit_scale.exp().item()
    pictures = [tiny.encode(tiny.noise(40, 30)), tiny.encode(tiny.noise(25, 61))]
    expected = hf.pipeline(TASK, str(source), device="cpu")
    with create_task("onnxruntime", TASK, str(towers), {"logit_scale": scale}) as task:
        row = {"candidate_labels": LABELS, "hypothesis_template": "a {}"}
        together = task.process(task.task.input.validated({"images": pictures, **row}))
        for picture, found in zip(pictures, together.model_dump()["results"], strict=True):
            alone = task.process(task.task.input.validated({"images": [picture], **row}))
            told = expected(
                Image.open(io.BytesIO(picture)),
                candidate_labels=LABELS,
                hypothesis_template="a {}",
            )
            for answer in (found, alone.model_dump()["results"][0]):
                assert [one["label"] for one in answer] == [one["label"] for one in told]
                scores = [one["score"] for one in answer]
                assert scores == pytest.approx([one["score"] for one in told], abs=1e-3)


def test_both_graphs_are_found_and_the_scale_is_asked_for(towers: Path, tmp_path: Path) -> None:
    main = main_graph(towers)
    assert {path.name for path in opened_with(main)} == {"vision_model.onnx", "text_model.onnx"}
    with pytest.raises(ModelRefused, match="`logit_scale`, which is 100.0 for OpenAI's own"):
        create_task("onnxruntime", TASK, str(towers))
    half = Path(shutil.copytree(towers, tmp_path / "half"))
    (half / "onnx" / "text_model.onnx").unlink()
    with pytest.raises(ModelRefused, match="holds no text_model.onnx"):
        create_task("onnxruntime", TASK, str(half), {"logit_scale": 100.0})
