from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ....protocol.errors import OutOfMemory
from ...base import Task
from ..base import Backend
from ..device import Device

log = logging.getLogger(__name__)

_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


class TransformersBackend(Backend):
    """A model of transformers. `source` is a folder or a hub id; None takes the default model.

    `dtype` is float32, float16 or bfloat16. `threads` bounds torch's threads in this process: two
    threads beside a busy second core can be slower than one. `revision` pins a hub model.
    """

    default_model: str
    #: The auto class of transformers that loads the model.
    auto_class: str

    def __init__(
        self,
        task: Task,
        source: str | None,
        *,
        device: Device,
        dtype: str = "float32",
        threads: int = 0,
        revision: str | None = None,
    ) -> None:
        super().__init__(task, source or self.default_model, device=device)
        if dtype not in _DTYPES:
            raise TypeError(f"dtype {dtype!r}: use {', '.join(_DTYPES)}")
        self._dtype, self._threads, self._revision = _DTYPES[dtype], threads, revision
        self.model: Any = None  # transformers loads its classes at run time

    def load(self) -> None:
        """Load weights (safetensors only, no remote code) and move them to the device."""
        import transformers

        # Its advice on torchvision and its bars per weight file would drown a worker's log.
        transformers.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        if self._threads:
            torch.set_num_threads(self._threads)
        auto = getattr(transformers, self.auto_class)
        self.model = auto.from_pretrained(
            self.source,
            dtype=self._dtype,
            revision=self._revision,
            use_safetensors=True,
            trust_remote_code=False,
        )
        self.model.eval().to(self.device.name)
        self.load_processor()

    @abstractmethod
    def load_processor(self) -> None:
        """Load what turns rows into tensors."""

    @contextmanager
    def forward(self) -> Iterator[None]:
        """Hold the device for a forward; out of memory becomes our own error."""
        try:
            with self.device.compute(), torch.inference_mode():
                yield
        except torch.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            raise OutOfMemory from error

    def to_device(self, tensor: torch.Tensor) -> torch.Tensor:
        """Move an input; floats take the model's dtype."""
        if tensor.is_floating_point():
            return tensor.to(self.device.name, self._dtype, non_blocking=True)
        return tensor.to(self.device.name, non_blocking=True)

    def close(self) -> None:
        """Drop the model; a GPU's memory is given back."""
        self.model = None
        if self.device.name.startswith("cuda"):
            torch.cuda.empty_cache()
