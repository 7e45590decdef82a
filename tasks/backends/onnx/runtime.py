"""What runs graphs, as the rest of this package sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from ..device import Device


class Runtime(Protocol):
    """A library that runs graphs, set as an operator wants it."""

    @property
    def told(self) -> str:
        """The library and its version."""
        ...

    def open(self, path: Path, device: Device, threads: int) -> Any:
        """A file's session on the device: what `InferenceSession` of ONNX Runtime is, as far as a
        `Graph` asks it. Raises ModelRefused when it cannot be there or is broken.
        """
