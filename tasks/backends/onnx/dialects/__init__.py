"""Dialects: how graphs of different exporters are fed and read, one adapter a file.

`resolve` takes the first that accepts a graph: custom ones before ours, ours in the order of the
table. A graph is known by the names of its inputs and outputs; where names leave doubt, by rank.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from .... import entry_points
from ..adapter import Adapter
from ..graph import Shapes

#: dialect -> module:class, in the order in which they are asked.
_DIALECTS = {
    "pixel-logits": "pixel_logits:PixelLogits",
    "transformers-detr": "transformers_detr:TransformersDetr",
    "transformers-yolos": "transformers_yolos:TransformersYolos",
    "torchvision-detection": "torchvision_detection:TorchvisionDetection",
    "yolov8": "yolov8:Yolov8",
    "predicted-depth": "predicted_depth:PredictedDepth",
    "semantic-logits": "semantic_logits:SemanticLogits",
    "transformers-vilt": "transformers_vilt:TransformersVilt",
    "transformers-vilt-no-token-type": "transformers_vilt_no_token_type:ViltNoTokenType",
    "transformers-clip": "transformers_clip:TransformersClip",
    "transformers-owlvit": "transformers_owlvit:TransformersOwlvit",
    "input-values-logits": "input_values_logits:InputValuesLogits",
    "whisper-encoder-decoder": "whisper_encoder_decoder:WhisperEncoderDecoder",
    "wav2vec2-ctc": "wav2vec2_ctc:Wav2vec2Ctc",
    "silero-vad": "silero_vad:SileroVad",
    "text-logits": "text_logits:TextLogits",
    "token-logits": "token_logits:TokenLogits",
    "sentence-embedding": "sentence_embedding:SentenceEmbedding",
    "last-hidden-state": "last_hidden_state:LastHiddenState",
}


def dialects(task: str) -> dict[str, type[Adapter]]:
    """The adapters that answer a task, in the order in which they are asked."""
    found: dict[str, type[Adapter]] = {}
    for dialect, point in entry_points.found("wherry.onnx_adapters").items():
        found[dialect] = entry_points.load(point)
    for dialect, place in _DIALECTS.items():
        module, _, cls = place.partition(":")
        found.setdefault(dialect, getattr(importlib.import_module(f".{module}", __package__), cls))
    return {dialect: adapter for dialect, adapter in found.items() if task in adapter.tasks}


def resolve(
    task: str,
    inputs: Shapes,
    outputs: Shapes,
    config: Mapping[str, Any],
    *,
    dialect: str = "",
) -> type[Adapter]:
    """The adapter for a graph, or the one of that dialect. Raises ValueError when there is none."""
    known = dialects(task)
    if dialect:
        if dialect not in known:
            raise ValueError(f"no dialect {dialect!r} does {task}; there are {list(known)}")
        return known[dialect]
    for adapter in known.values():
        if adapter.accepts(inputs, outputs, config):
            return adapter
    raise ValueError(
        f"No adapter of {task} matched the graph: inputs {_signature(inputs)}, outputs "
        f"{_signature(outputs)}. Available dialects: {list(known)}"
    )


def _signature(shapes: Shapes) -> str:
    named = [f"{name} [{', '.join(map(str, shape))}]" for name, shape in shapes.items()]
    return ", ".join(named) or "none"
