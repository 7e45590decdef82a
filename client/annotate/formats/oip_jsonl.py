"""OIP JSONL: an inference response of the Open Inference Protocol v2 a line, its id the row's."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from ....protocol import codec, v2
from ....protocol.datatypes import Datatype
from ....tasks.values.rounding import PIXELS, number, pixels
from ..rows import Annotation, Origin
from .held_files import HeldFiles
from .text import clean, unbroken

_FLOATS = (Datatype.FP16, Datatype.FP32, Datatype.FP64)


class OipLines(HeldFiles):
    """A response a row, with one row in each tensor; what is no number is 0."""

    joins: ClassVar[bool] = True

    def __init__(self, path: Path, origin: Origin) -> None:
        super().__init__(path, origin)
        self._file = self._stream("rows", self._open(path))

    def write(self, annotation: Annotation) -> None:
        """Write one row's answer."""
        response = annotation.output.to_inference_response(self.origin.model)
        whole = response.model_copy(
            update={
                "id": clean(annotation.id),
                "model_version": self.origin.version or None,
                "outputs": [_rounded(tensor) for tensor in response.outputs],
            }
        )
        self._file.write(unbroken(codec.encode_response(whole)[0].decode()) + "\n")

    def _finish(self) -> None:
        pass


def _rounded(tensor: v2.ResponseOutput) -> v2.ResponseOutput:
    if tensor.datatype not in _FLOATS:
        return tensor
    digits = pixels if tensor.name in PIXELS or tensor.name == "box" else _number
    data: list[Any] = [digits(value) for value in tensor.flat()]
    return tensor.model_copy(update={"data": data})


def _number(value: float) -> float:
    return number(value) or 0.0
