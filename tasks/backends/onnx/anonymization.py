from __future__ import annotations

from typing import Any

from ...registry import get_task
from ..base import Backend
from ..image.anonymize import AnonymizingBackend
from .backend import DialectBackend


class ImageAnonymization(AnonymizingBackend):
    """What a graph of a detection dialect finds, hidden."""

    def make_detector(self, **parameters: Any) -> Backend:
        """The detector of ONNX Runtime."""
        task = get_task("object-detection")
        return DialectBackend(task, self.source, device=self.device, **parameters)
