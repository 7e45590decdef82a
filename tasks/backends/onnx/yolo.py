"""What the adapters of the YOLO family share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ....protocol.errors import BackendError
from ...base import Task, TaskInput
from ..image.fitting import Fitted
from ..image.pixels import Pixels
from ..sizes import Size
from .adapter import GraphInfo, has_rank
from .checks import chances
from .detection import DetectionAdapter, Objects
from .graph import Shapes
from .letterbox import Letterbox, unboxed
from .model import OnnxModel
from .preprocess import graph_size
from .suppression import Suppression
from .ultralytics import UltralyticsMetadata, class_count, forms

_Floats = NDArray[np.float32]

#: Edge of the graph's image where the graph takes any.
_EDGE = 640

#: Candidates from which a graph's boxes can be expected to lie all over the image.
_MANY = 100


class UltralyticsAdapter(DetectionAdapter):
    """A graph of `images` whose file may tell its classes and size, as Ultralytics writes them."""

    image_input = "images"

    def __init__(self, task: Task, model: OnnxModel) -> None:
        self.written = UltralyticsMetadata.read(model.graph.metadata)
        self.classes = class_count(self.written, model.config)
        super().__init__(task, model)
        if self.written.unrolled:
            # Rows beyond those that it was exported with would find nothing, with no word of it.
            self.graph.rows_alone = True

    def read_pixels(self) -> Pixels:
        """A letterbox of the graph's own size, or as small as a free size allows; values 0 to 1."""
        free = graph_size(self.model, self.image_input) is None
        return Letterbox.of(self.size(), stride=self.written.stride if free else None)

    def size(self) -> Size:
        """What the graph sees: its own size where that is fixed, else what its exporter wrote."""
        return graph_size(self.model, self.image_input) or self.written.size or (_EDGE, _EDGE)

    def names(self) -> dict[int, str]:
        """id2label, or what the exporter wrote into the graph."""
        return self.model.labels() or dict(self.written.names)


class YoloAdapter(UltralyticsAdapter):
    """A graph of one output, of the form that its dialect names."""

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """One output of a name of its own and three axes."""
        return (
            set(inputs) == {"images"}
            and len(outputs) == 1
            and not {"logits", "pred_boxes"} & {*outputs}
            and all(has_rank(axes, 3) for axes in outputs.values())
        )

    @classmethod
    def misfit(cls, told: GraphInfo, *, named: bool) -> str:
        """By the file's task, and by the form that it has."""
        task = UltralyticsMetadata.read(told.metadata).task
        if task not in ("", "detect"):
            return f"the file says that its task is {task!r}"
        possible = forms(told, cls.dialect if named else "")
        if not possible:
            return f"the widths of the output fit no YOLO of {_named(told)}"
        if cls.dialect in possible:
            if named or len(possible) == 1:
                return super().misfit(told, named=named)
            return (
                f"the widths of the output, of {_named(told)}, fit {' and '.join(sorted(possible))}"
                " alike: name one as the model parameter `dialect`"
            )
        return f"by its file and its widths it is {' or '.join(sorted(possible))}"

    def find(
        self, inputs: Sequence[TaskInput], rows: Sequence[Fitted], values: _Floats
    ) -> list[Objects]:
        """One run, read row by row."""
        (name,) = self.graph.outputs
        out = self.graph.read(name, {self.image_input: values})
        return [
            self.objects(candidates, getattr(row, "threshold", 0.5), image)
            for candidates, row, image in zip(out, inputs, rows, strict=True)
        ]

    @abstractmethod
    def objects(self, out: _Floats, threshold: float, row: Fitted) -> Objects:
        """What a row's output (N, M), or its transpose, says; candidates above the threshold."""


class Suppressing(YoloAdapter):
    """A graph of raw candidates: a box (centre, width, height in pixels of the graph's image) and
    a probability per class. Candidates that overlap a surer one of their class are dropped.
    """

    #: Columns before the classes'; whether (M, N) is the usual way.
    columns: ClassVar[int]
    columns_first: ClassVar[bool]

    def __init__(self, task: Task, model: OnnxModel, *, suppression: Suppression) -> None:
        super().__init__(task, model)
        self.suppression = suppression

    @abstractmethod
    def scores(self, candidates: _Floats) -> _Floats:
        """Probabilities (N, C). Raises BackendError where they are none."""

    def objects(self, out: _Floats, threshold: float, row: Fitted) -> Objects:
        """Each candidate's surest class, suppressed."""
        candidates = self._upright(out)
        scores = self.scores(candidates)
        check_pixels(candidates[:, :2], max(row.image.size))
        found = survivors(candidates, scores, threshold, self.suppression)
        return Objects(found.scores, found.classes, unboxed(found.boxes, row.image.size, row.size))

    def _upright(self, out: _Floats) -> _Floats:
        """(N, M). Without class names, candidates are the more."""
        width = min(out.shape) if self.classes is None else self.columns + self.classes
        for axis in (0, 1) if self.columns_first else (1, 0):
            if out.shape[axis] == width:
                return out if axis == 1 else out.T
        raise BackendError(f"the graph gives {list(out.shape)}, and no axis of {width}")


def check_pixels(places: _Floats, edge: int) -> None:
    """Raise BackendError where so many places all lie in the first eighth of the image."""
    if len(places) >= _MANY and places.max() < edge / 8:
        raise BackendError(
            "the graph's boxes are not in pixels of its image, as RT-DETR's and YOLOX's are not"
        )


class Candidates(NamedTuple):
    """Candidates that stay, surest first: boxes (Q, 4) are corners in pixels of the graph's image,
    `more` (Q, M) is what each says beyond its box and class.
    """

    scores: _Floats
    classes: NDArray[np.int64]
    boxes: _Floats
    more: _Floats


def survivors(
    candidates: _Floats, scores: _Floats, threshold: float, suppression: Suppression, more: int = 0
) -> Candidates:
    """Each candidate's surest class, above the threshold, suppressed.

    candidates: (N, 4 + .. + more), centre, width and height first; scores: (N, C).
    """
    sure = scores.max(axis=1)
    chosen = np.flatnonzero(sure > threshold)
    best, sure = scores[chosen].argmax(axis=1), sure[chosen]  # argmax is the slow one
    centre, half = candidates[chosen, :2], candidates[chosen, 2:4] / 2
    boxes = np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)
    kept = suppression.surviving(boxes, sure, best)
    beyond = candidates[chosen[kept], candidates.shape[1] - more :]
    return Candidates(sure[kept], best[kept], boxes[kept], beyond)


def final(out: _Floats, classes: int | None, threshold: float, more: int = 0) -> Candidates:
    """Rows (N, 6 + more) of a graph that suppresses by itself. Raises BackendError.

    Those that fill the output up have a score of 0.
    """
    boxes, scores, numbers = read_final(out[:, : out.shape[1] - more], classes)
    sure = np.flatnonzero(scores > threshold)
    sure = sure[np.argsort(-scores[sure], kind="stable")]
    turned = (boxes[sure, 2:] < boxes[sure, :2] - 1).any(axis=1)
    if len(sure) and turned.mean() > 0.5:  # graphs that guess distances turn one at times
        raise BackendError("the graph's boxes end before they begin: they are no corners")
    return Candidates(scores[sure], numbers[sure], boxes[sure], out[sure, out.shape[1] - more :])


def read_final(out: _Floats, classes: int | None) -> tuple[_Floats, _Floats, NDArray[np.int64]]:
    """Boxes, scores and classes of rows (N, 6) that end with these. Raises BackendError."""
    if out.shape[1] != 6:
        raise BackendError(f"the graph gives rows of {out.shape[1]} numbers, not 6")
    numbers = out[:, 5]
    beyond = np.inf if classes is None else classes
    if not ((numbers == numbers.round()) & (numbers >= 0) & (numbers < beyond)).all():
        raise BackendError("the graph's last column holds what is no class of its own")
    return out[:, :4], chances(out[:, 4]), numbers.astype(np.int64)


def _named(told: GraphInfo) -> str:
    count = class_count(UltralyticsMetadata.read(told.metadata), told.config)
    return "no class names" if count is None else f"{count} class names"
