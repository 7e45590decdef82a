"""The generating tasks over graphs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import transformers as hf

from ....base import Task
from ...base import ModelRefused
from ...company import Company
from ...device import Device, unlocked
from ...facts import ModelFacts
from ...sources import opened_folder
from ...transformers.generation.writer import GenerationBackend
from ...transformers.text.chat import Chat
from ...transformers.text.summarization import Summarization
from ...transformers.text.text2text_generation import Text2TextGeneration
from ...transformers.text.text_generation import TextGeneration
from ...transformers.text.translation import Translation
from ...transformers.whole import check_kind
from ..decoder import Decoder
from ..graph import needs
from ..model import OnnxModel
from ..on_onnxruntime import OnOnnxRuntime
from ..runtime import Runtime
from .graph_model import GraphModel

#: What decoders are fed with, alone and behind an encoder.
_ALONE = frozenset({"input_ids", "attention_mask", "position_ids"})
_BEHIND = frozenset({"input_ids", "encoder_hidden_states", "encoder_attention_mask"})


class GraphWriting(GenerationBackend):
    """A folder's graphs, written with as the model that they were made of.

    `file` names the graph (the encoder, where there are two) where the folder holds several;
    `threads` bounds each graph's threads, 0 takes every core of the process; `batching` says which
    rows share a run (padded, equal-length, one-by-one), empty finds it out.
    """

    make_runtime: Callable[[], Runtime]

    def __init__(
        self,
        task: Task,
        source: str | None,
        *,
        device: Device,
        threads: int = 0,
        file: str = "",
        batching: str = "",
    ) -> None:
        folder = str(opened_folder(source, "model.onnx"))
        super().__init__(task, folder, device=device, batching=batching)
        self._graph_threads, self._file = threads, file
        self._runtime: Any = None  # a Runtime once loaded

    def find_place(self) -> str:
        """The CPU: graphs are elsewhere, and take their numbers from there."""
        return "cpu"

    def load_model(self) -> tuple[Any, list[str]]:
        """Open the graphs. Raises ModelRefused for those that do not write, named as they are."""
        self._runtime = self.make_runtime()
        config, folder = self.read_config(), Path(str(self.source))
        check_kind(getattr(hf, self.auto_class), str(folder), config)
        model = OnnxModel(
            folder,
            unlocked(self.device),  # `forward` holds the worker's
            threads=self._graph_threads,
            max_pixels=0,
            file=self._file,
            runtime=self._runtime,
        )
        encoder = None
        if config.is_encoder_decoder:
            encoder = model.graph
            needs(encoder, {"input_ids", "attention_mask"}, "last_hidden_state")
        decoder = Decoder.alone(model) if encoder is None else Decoder.beside_an_encoder(model)
        strange = decoder.inputs() - (_ALONE if encoder is None else _BEHIND)
        if strange:
            raise ModelRefused(
                f"{self.source}: the decoder also takes {', '.join(sorted(strange))}, of which "
                f"{self.task.name} knows nothing; export it for that task"
            )
        if (decoder.rows_alone or (encoder and encoder.rows_alone)) and not self._declared:
            self._declared = self.company = Company("one-by-one")
        return GraphModel(config, _generation_config(folder, config), decoder, encoder), []

    def facts(self) -> ModelFacts:
        """What its graphs run on; what they hold must be measured."""
        return replace(super().facts(), runtime=self._runtime.told)


class GraphTextGeneration(OnOnnxRuntime, GraphWriting, TextGeneration):
    """How a graph goes on."""


class GraphChat(OnOnnxRuntime, GraphWriting, Chat):
    """What a graph answers."""


class GraphText2Text(OnOnnxRuntime, GraphWriting, Text2TextGeneration):
    """What graphs make of a text."""


class GraphSummarization(OnOnnxRuntime, GraphWriting, Summarization):
    """Summaries by graphs."""


class GraphTranslation(OnOnnxRuntime, GraphWriting, Translation):
    """Translations by graphs."""


def _generation_config(folder: Path, config: Any) -> Any:
    if (folder / "generation_config.json").exists():
        return hf.GenerationConfig.from_pretrained(folder)
    return hf.GenerationConfig.from_model_config(config)
