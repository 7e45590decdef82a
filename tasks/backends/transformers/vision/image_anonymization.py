from __future__ import annotations

from typing import Any

from ....registry import get_task
from ...base import Backend
from ...image.anonymize import AnonymizingBackend
from .object_detection import ObjectDetection


class ImageAnonymization(AnonymizingBackend):
    """What an AutoModelForObjectDetection finds, hidden."""

    def make_detector(self, **parameters: Any) -> Backend:
        """The detector of transformers."""
        task = get_task("object-detection")
        return ObjectDetection(task, self.source, device=self.device, **parameters)
