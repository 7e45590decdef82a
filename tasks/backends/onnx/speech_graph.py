from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from ....protocol.errors import RowError
from ...audio.text_to_speech import TextToSpeechInput
from ...base import Task, TaskInput
from ..device import Device, unlocked
from ..facts import ModelFacts
from ..sources import opened_folder
from ..transformers.audio.text_to_speech import TextToSpeech
from .checks import finite
from .graph import Graph, needs
from .model import OnnxModel
from .session import OnnxRuntime

log = logging.getLogger(__name__)


class GraphSpeech(TextToSpeech):
    """Speech of a VITS graph: input_ids, attention_mask (1, T) -> waveform (1, samples).

    Its letters are those of transformers' tokenizer. A speaker, a speed and the noise are in the
    graph, as it was exported.
    """

    def __init__(
        self, task: Task, source: str | None, *, device: Device, threads: int = 0, file: str = ""
    ) -> None:
        super().__init__(task, str(opened_folder(source, "model.onnx")), device=device)
        self._graph_threads, self._file, self._runtime = threads, file, OnnxRuntime()

    def find_place(self) -> str:
        """The CPU: the graph is elsewhere, and takes its letters from there."""
        return "cpu"

    def load_model(self) -> tuple[Any, list[str]]:
        """Open the graph. Raises ModelRefused for one that takes or gives something else."""
        model = OnnxModel(
            Path(str(self.source)),
            unlocked(self.device),
            runtime=self._runtime,
            threads=self._graph_threads,
            max_pixels=0,
            file=self._file,
        )
        needs(model.graph, {"input_ids"}, "waveform")
        if model.graph.draws:
            log.warning("%s: the graph draws its noise itself: a seed repeats nothing", self.source)
        return _Voice(model.graph, self.read_config()), []

    def facts(self) -> ModelFacts:
        """What its graphs run on; what they hold must be measured."""
        return replace(super().facts(), runtime=self._runtime.told)

    def _tokens(self, row: TaskInput) -> Mapping[str, Any]:
        assert isinstance(row, TextToSpeechInput)
        if row.speed not in (None, 1):
            raise RowError(f"speed {row.speed}: the graph speaks as fast as it was exported")
        if row.speaker:
            raise RowError(f"speaker {row.speaker}: the model has 1 in its graph, from 0")
        return super()._tokens(row)


class _Voice(torch.nn.Module):
    """The graph, as the backend of transformers calls its models."""

    def __init__(self, graph: Graph, config: Any) -> None:
        super().__init__()
        self._graph, self.config = graph, config

    def forward(self, input_ids: torch.Tensor, **_: Any) -> Any:
        ids = input_ids.numpy()
        arrays = {"input_ids": ids, "attention_mask": torch.ones_like(input_ids).numpy()}
        wave = finite(self._graph.run(arrays)["waveform"], "waveform")
        return SimpleNamespace(waveform=torch.from_numpy(wave))
