from __future__ import annotations

from typing import Any

from ...registry import get_task
from ..anonymize import AnonymizingBackend
from ..base import Backend
from .object_detection import ObjectDetection


class ImageAnonymization(AnonymizingBackend):
    """What an AutoModelForObjectDetection finds, hidden."""

    def make_detector(self, **parameters: Any) -> Backend:
        """The detector of transformers."""
        task = get_task("object-detection")
        return ObjectDetection(task, self.source, device=self.device, **parameters)
