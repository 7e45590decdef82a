"""Dialects: how graphs of different exporters are fed and read, one adapter a file.

`resolve` takes the first that accepts a graph: custom ones before ours, ours in the order of the
table. A graph is known by the names of its inputs and outputs, their ranks and widths, and what its
exporter wrote into it. What it then answers to an example has the last word.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Set

from .... import entry_points
from ...base import ModelRefused
from ..adapter import Adapter, GraphInfo
from ..graph import Shapes
from ..wiring import Wiring

#: dialect -> module:class, in the order in which they are asked.
_DIALECTS = {
    "pixel-logits": "pixel_logits:PixelLogits",
    "yolo-classify": "yolo_classify:YoloClassify",
    "transformers-detr": "transformers_detr:TransformersDetr",
    "transformers-yolos": "transformers_yolos:TransformersYolos",
    "torchvision-detection": "torchvision_detection:TorchvisionDetection",
    "yolov8": "yolov8:Yolov8",
    "yolov5": "yolov5:Yolov5",
    "yolo-end2end": "yolo_end2end:YoloEnd2end",
    "ultralytics-rtdetr": "ultralytics_rtdetr:UltralyticsRtdetr",
    "yolo-segment": "yolo_segment:YoloSegment",
    "yolo-pose": "yolo_pose:YoloPose",
    "rtmpose": "rtmpose:Rtmpose",
    "predicted-depth": "predicted_depth:PredictedDepth",
    "semantic-logits": "semantic_logits:SemanticLogits",
    "foreground-mask": "foreground_mask:ForegroundMask",
    "ctc-lines": "ctc_lines:CtcLines",
    "transformers-vilt": "transformers_vilt:TransformersVilt",
    "transformers-vilt-no-token-type": "transformers_vilt_no_token_type:ViltNoTokenType",
    "transformers-clip": "transformers_clip:TransformersClip",
    "clip-towers": "clip_towers:ClipTowers",
    "transformers-owlvit": "transformers_owlvit:TransformersOwlvit",
    "input-values-logits": "input_values_logits:InputValuesLogits",
    "spectrogram-logits": "spectrogram_logits:SpectrogramLogits",
    "whisper-encoder-decoder": "whisper_encoder_decoder:WhisperEncoderDecoder",
    "wav2vec2-ctc": "wav2vec2_ctc:Wav2vec2Ctc",
    "silero-vad": "silero_vad:SileroVad",
    "openwakeword": "openwakeword:Openwakeword",
    "text-logits": "text_logits:TextLogits",
    "token-logits": "token_logits:TokenLogits",
    "span-logits": "span_logits:SpanLogits",
    "vocabulary-logits": "vocabulary_logits:VocabularyLogits",
    "text-features": "text_features:TextFeatures",
    "image-features": "image_features:ImageFeatures",
    "image-text-features": "image_text_features:ImageTextFeatures",
    "sentence-embedding": "sentence_embedding:SentenceEmbedding",
    "last-hidden-state": "last_hidden_state:LastHiddenState",
}

#: What files' own tasks give that no task here can answer with.
_UNSERVED = {"obb": "turned boxes, which no task here can answer with"}

#: Graphs that are known and that no dialect reads: inputs, outputs, and what they are.
_STRANGERS: tuple[tuple[Set[str], Set[str], str], ...] = (
    (
        frozenset({"feats"}),
        frozenset({"embs"}),
        "feats -> embs makes a vector of a voice (WeSpeaker, 3D-Speaker), which no task here "
        "answers with: an adapter of your own for audio-classification may compare it with those "
        "of voices that you know",
    ),
    (
        frozenset({"input_1"}),
        frozenset({"conv2d_19"}),
        "input_1 -> conv2d_19 is the second of openWakeWord's three graphs: audio-classification "
        "is done by melspectrogram.onnx, embedding_model.onnx and those of words in one folder",
    ),
)


def dialects(task: str) -> dict[str, type[Adapter]]:
    """The adapters that answer a task, in the order in which they are asked."""
    found: dict[str, type[Adapter]] = {}
    for dialect, point in entry_points.installed("wherry.onnx_adapters").items():
        found[dialect] = entry_points.load(point)
    for dialect, place in _DIALECTS.items():
        module, _, cls = place.partition(":")
        found.setdefault(dialect, getattr(importlib.import_module(f".{module}", __package__), cls))
    return {dialect: adapter for dialect, adapter in found.items() if task in adapter.tasks}


def resolve(
    task: str, told: GraphInfo, *, dialect: str = "", wiring: Wiring | None = None
) -> type[Adapter]:
    """The adapter for a graph, or the one of that dialect, by the operator's words where there are
    any. Raises ModelRefused where none fits.
    """
    wiring = wiring or Wiring()
    known = dialects(task)
    if dialect and dialect not in known:
        raise ModelRefused(f"no dialect {dialect!r} does {task}; there are {', '.join(known)}")
    task_told = told.metadata.get("task")
    misfits = [f"the file says that its task is {task_told!r}"] if task_told else []
    for adapter in [known[dialect]] if dialect else known.values():
        seen = wiring.seen(told, adapter)
        if adapter.accepts(seen.inputs, seen.outputs, seen.config):
            misfit = adapter.misfit(seen, named=bool(dialect))
            if not misfit:
                return adapter
            misfits.append(misfit)
    misfits += [_UNSERVED[task_told]] if task_told in _UNSERVED else []
    misfits += [
        why for ins, outs, why in _STRANGERS if ins <= {*told.inputs} and outs <= {*told.outputs}
    ]
    whose = f"dialect {dialect!r} does not fit" if dialect else f"no dialect of {task} fits"
    why = "".join(f"; {misfit}" for misfit in dict.fromkeys(misfits))
    wanted = "; ".join(f"{name}: {wants(adapter)}" for name, adapter in known.items())
    raise ModelRefused(
        f"{whose} the graph of inputs {_signature(told.inputs)}, outputs "
        f"{_signature(told.outputs)}{why}. Dialects of {task}: {wanted}. "
        "The model parameters `input` and `outputs` say what a graph of other names calls them; "
        "docs/onnx-adapters.md tells more"
    )


def wants(adapter: type[Adapter]) -> str:
    """What a dialect's graphs take and give, as its module opens with: "Dialect NAME: this."."""
    text = sys.modules[adapter.__module__].__doc__ or ""
    return " ".join(text.partition("\n\n")[0].partition(": ")[2].split()).rstrip(".")


def _signature(shapes: Shapes) -> str:
    named = [f"{name} [{', '.join(map(str, shape))}]" for name, shape in shapes.items()]
    return ", ".join(named) or "none"
