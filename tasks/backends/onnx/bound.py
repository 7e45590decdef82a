"""Sessions whose numbers are bound to where they compute, as ONNX Runtime's I/O binding does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray


class Bound:
    """A session that computes on `place` (cpu, cuda:N), with inputs and outputs bound there.

    What goes in is on the device before the graph runs, and what comes out is fetched after it: no
    copy is made in its midst. Each run has a binding of its own, so several threads may call it.
    """

    def __init__(self, session: Any, place: str) -> None:  # onnxruntime ships no types
        kind, _, number = place.partition(":")
        self._session, self._where = session, (kind, int(number or 0))

    def run(self, outputs: Sequence[str] | None, feed: Mapping[str, NDArray[Any]]) -> list[Any]:
        """As a session's own: these outputs, or all of them, in order."""
        binding = self._session.io_binding()
        for name, array in feed.items():
            # A view of turned axes would be read as it lies in memory.
            whole = np.asarray(array, order="C")
            value = ort.OrtValue.ortvalue_from_numpy(whole, *self._where)
            binding.bind_ortvalue_input(name, value)
        for name in outputs or [node.name for node in self._session.get_outputs()]:
            binding.bind_output(name, *self._where)
        self._session.run_with_iobinding(binding)
        found: list[Any] = binding.copy_outputs_to_cpu()
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)
