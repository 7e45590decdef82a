"""Dialect torchvision-detection: any image input -> boxes (or pred_boxes), labels and scores.

Boxes are corners in pixels of the image that the graph saw. torchvision's own export takes one
image of values 0 to 1, (1, 3, H, W) or (3, H, W), normalises it itself, and finds any number of
boxes (N, 4); graphs of others give (B, N, 4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ....base import Task, TaskInput
from ...image.fitting import Fitted
from ...image.pixels import Pixels
from ...sizes import Exact, Size
from ..adapter import GraphInfo
from ..detection import DetectionAdapter, Objects
from ..graph import Shapes
from ..model import OnnxModel
from ..preprocess import graph_size, plain, read_pixels

_Boxes = NDArray[np.float32]


class TorchvisionDetection(DetectionAdapter):
    """Faster R-CNN, RetinaNet, SSD and FCOS as torchvision exports them."""

    dialect: ClassVar[str] = "torchvision-detection"
    reads: ClassVar[tuple[str, ...]] = ("boxes", "labels", "scores")

    def __init__(self, task: Task, model: OnnxModel) -> None:
        self.image_input = next(iter(model.graph.inputs))
        self._one_image = len(model.graph.inputs[self.image_input]) == 3
        self._boxes = "boxes" if "boxes" in model.graph.outputs else "pred_boxes"
        super().__init__(task, model)

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """One input of any name; classes come out as numbers, not as logits."""
        return (
            len(inputs) == 1 and "labels" in outputs and bool({"boxes", "pred_boxes"} & {*outputs})
        )

    @classmethod
    def misfit(cls, told: GraphInfo, *, named: bool) -> str:  # noqa: ARG003 # axes tell
        """Images of three axes are one without a batch."""
        ((name, axes),) = told.inputs.items()
        channels = axes[-3] if len(axes) in (3, 4) else 3
        if len(axes) in (0, 3, 4) and (channels == 3 or not isinstance(channels, int)):
            return ""
        return f"its {name} {[*axes]} is neither (B, 3, H, W) nor (3, H, W)"

    def read_pixels(self) -> Pixels:
        """The preprocessor's settings; without them values 0 to 1, of the graph's size if fixed."""
        if (self.model.folder / "preprocessor_config.json").exists():
            return read_pixels(self.model, self.image_input)
        size = graph_size(self.model, self.image_input)
        return plain(None if size is None else Exact(size))

    def find(
        self,
        inputs: Sequence[TaskInput],  # noqa: ARG002 # thresholds come later
        rows: Sequence[Fitted],
        values: NDArray[np.float32],
    ) -> list[Objects]:
        """One run where the graph answers for each row apart, else one a row."""
        if len(self.graph.outputs[self._boxes]) == 3:
            out = self.graph.run_rows({self.image_input: values})
            found = [{name: array[i] for name, array in out.items()} for i in range(len(rows))]
        else:
            # The boxes of all rows would come in one heap.
            single = values if self._one_image else values[:, None]
            found = [self.graph.run({self.image_input: image}) for image in single]
        return [self._objects(out, row) for out, row in zip(found, rows, strict=True)]

    def _objects(self, out: Mapping[str, NDArray[Any]], row: Fitted) -> Objects:
        boxes: _Boxes = out[self._boxes].reshape(-1, 4).astype(np.float32)
        scores = out.get("scores", np.ones(len(boxes), dtype=np.float32)).reshape(-1)
        return Objects(scores, out["labels"].reshape(-1), scaled(boxes, row.image.size, row.size))


def scaled(boxes: _Boxes, seen: Size, sent: Size) -> _Boxes:
    """Boxes in pixels of the image as sent, of boxes in pixels of the image that was seen."""
    factor = np.array([sent[0] / seen[0], sent[1] / seen[1]] * 2, dtype=np.float32)
    whole: _Boxes = boxes * factor
    return whole
