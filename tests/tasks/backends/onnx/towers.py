"""CLIP and SigLIP in two graphs, as transformers.js has them, of transformers' tiny models."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import torch
import transformers as hf


class Tower(torch.nn.Module):
    """One half of a CLIP, which gives its vectors alone, or one of a SigLIP with its states."""

    def __init__(self, model: Any, features: str, *, states: bool) -> None:
        super().__init__()
        self.model, self.features, self.states = model, features, states

    def forward(self, given: torch.Tensor) -> Any:
        out = getattr(self.model, self.features)(given)
        return (out.pooler_output, out.last_hidden_state) if self.states else out.pooler_output


def towers_of(source: Path, folder: Path, outputs: tuple[str, str]) -> Path:
    """A CLIP or SigLIP as transformers.js has it."""
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    (folder / "onnx").mkdir()
    model: Any = hf.AutoModel.from_pretrained(source, attn_implementation="eager").eval()
    edge = model.config.vision_config.image_size
    length = 64 if "siglip" in model.config.model_type else 7
    halves: list[tuple[str, str, str, torch.Tensor, str]] = [
        (
            *("vision_model", "get_image_features", "pixel_values"),
            *(torch.zeros(1, 3, edge, edge), outputs[0]),
        ),
        (
            *("text_model", "get_text_features", "input_ids"),
            *(torch.ones(2, length, dtype=torch.long), outputs[1]),
        ),
    ]
    for name, features, given, value, output in halves:
        axes = {0: "rows", 1: "length"} if given == "input_ids" else {0: "rows"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tracing
            torch.onnx.export(
                Tower(model, features, states=output == "pooler_output"),
                (value,),
                folder / "onnx" / f"{name}.onnx",
                input_names=[given],
                output_names=[output, "last_hidden_state"][: 2 if output == "pooler_output" else 1],
                dynamic_axes={given: axes, output: {0: "rows"}},
                dynamo=False,
            )
    return folder
