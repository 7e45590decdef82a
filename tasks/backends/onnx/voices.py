from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ....protocol.errors import RowError
from ...base import Task, TaskInput, TaskOutput
from ..base import Backend
from ..device import Device
from ..facts import ModelFacts
from ..sources import opened_folder
from .text_to_speech import Speaking


class Voices(Backend):
    """A VITS graph's voice, where the folder's config.json says that it is one; else hibari's.

    `threads` bounds its graph's threads, 0 leaves the choice to the runtime; `file` names the graph
    of a VITS folder that holds several.
    """

    def __init__(
        self, task: Task, source: str | None, *, device: Device, threads: int = 0, file: str = ""
    ) -> None:
        super().__init__(task, source, device=device)
        self.voice: Backend
        if source and _is_vits(opened_folder(source, "a voice of VITS or of hibari")):
            from .speech_graph import GraphSpeech  # torch, which hibari's voices need not

            self.voice = GraphSpeech(task, source, device=device, threads=threads, file=file)
        else:
            self.voice = Speaking(task, source, device=device, threads=threads)

    def load(self) -> None:
        """Load the voice. Raises ModelRefused for a graph that does not speak."""
        self.voice.load()

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Speak, row by row."""
        return self.voice.run(batch)

    def facts(self) -> ModelFacts:
        """Those of the voice."""
        return self.voice.facts()

    def close(self) -> None:
        """Drop the voice."""
        self.voice.close()


def _is_vits(folder: Path) -> bool:
    config = folder / "config.json"
    return config.exists() and json.loads(config.read_text()).get("model_type") == "vits"
