from __future__ import annotations

from typing import Any

from ....registry import get_task
from ...base import Backend
from ...image.anonymize import AnonymizingBackend
from ..backend import GraphBackend
from .on_openvino import OnOpenVino


class OpenVinoDialects(OnOpenVino, GraphBackend):
    """A folder's graph on OpenVINO."""


class OpenVinoAnonymization(AnonymizingBackend):
    """What a graph of a detection dialect finds on OpenVINO, hidden."""

    def make_detector(self, **parameters: Any) -> Backend:
        """The detector on OpenVINO."""
        task = get_task("object-detection")
        return OpenVinoDialects(task, self.source, device=self.device, **parameters)
