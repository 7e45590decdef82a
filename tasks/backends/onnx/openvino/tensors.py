from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .....protocol.errors import RowError
from ....base import TaskInput
from ..tensors import TensorsOfGraph
from .on_openvino import OnOpenVino
from .whole_numbers import greatest_whole_number


class OpenVinoTensors(OnOpenVino, TensorsOfGraph):
    """A folder's graph on OpenVINO, where its answers are those of ONNX Runtime."""

    @staticmethod
    def look(graph: Any) -> int:
        """The greatest whole number that inputs of 32 and 64 bits may be."""
        return greatest_whole_number(graph)

    def _arrays(self, row: TaskInput) -> dict[str, NDArray[Any]]:
        arrays = super()._arrays(row)
        most = self._graph.session.seen
        for name, array in arrays.items():
            if array.dtype.kind not in "iu" or array.itemsize < np.dtype(np.int32).itemsize:
                continue
            least, greatest = (array.min(), array.max()) if array.size else (0, 0)
            if greatest > most or least < -most - 1:
                value = greatest if greatest > most else least
                raise RowError(
                    f"{name!r}: {value} is not within {-most - 1} to {most}, which OpenVINO holds "
                    "exactly in this graph; use backend onnxruntime"
                )
        return arrays
