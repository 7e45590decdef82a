from __future__ import annotations

import logging
import traceback
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from ....protocol.errors import OutOfMemory
from ...base import Task
from ..base import Backend
from ..company import TOLERANCE, chosen
from ..device import Device

log = logging.getLogger(__name__)

_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}

#: How far rounding alone moves a model's numbers when the shapes of its tensors change; on CUDA
#: convolutions round float32 to 10 bits (TF32).
_ROUNDING = {torch.float16: 0.008, torch.bfloat16: 0.03}
_ROUNDING_ON_CUDA = 0.005

#: What torch's errors say when memory is short; only some are torch.OutOfMemoryError.
_OUT_OF_MEMORY = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


class TransformersBackend(Backend):
    """A model of transformers. `source` is a folder or a hub id, None the task's default.

    `dtype` is float32, float16 or bfloat16. `threads` bounds torch's threads in this process: two
    threads beside a busy second core can be slower than one. `revision` pins a hub model.
    `batching` says which rows share a forward (padded, equal-length, one-by-one), where the model
    pads rows at all; empty finds it out.
    """

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
        batching: str = "",
    ) -> None:
        super().__init__(task, source or task.default_model, device=device)
        self._declared = chosen(batching)
        if self._declared:
            if type(self).probe is Backend.probe:
                raise ValueError(f"batching {batching!r}: {task.name} pads no rows")
            self.company = self._declared
        if dtype not in _DTYPES:
            raise ValueError(f"dtype {dtype!r}: use {', '.join(_DTYPES)}")
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

    @property
    def tolerance(self) -> float:
        """How far a row's numbers may move in company."""
        on_cuda = self.device.name.startswith("cuda")
        return _ROUNDING.get(self._dtype, _ROUNDING_ON_CUDA if on_cuda else TOLERANCE)

    @contextmanager
    def forward(self) -> Iterator[None]:
        """Hold the device for a forward, its transfers included. Raises OutOfMemory."""
        try:
            with self.device.compute(), torch.inference_mode():
                yield
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            # The failed forward's frames hold its activations: without this, the halves of the
            # batch would run beside them.
            traceback.clear_frames(error.__traceback__)
            error.__traceback__ = None
            torch.cuda.empty_cache()
            raise OutOfMemory from None

    def to_device(self, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Move inputs; floats take the model's dtype. Call it within `forward`."""
        return {
            name: tensor.to(
                self.device.name,
                self._dtype if tensor.is_floating_point() else tensor.dtype,
                non_blocking=True,
            )
            for name, tensor in tensors.items()
        }

    def close(self) -> None:
        """Drop the model; a GPU's memory is given back."""
        self.model = None
        if self.device.name.startswith("cuda"):
            torch.cuda.empty_cache()


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether the device had too little memory, whichever library said so."""
    text = str(error)
    return isinstance(error, torch.OutOfMemoryError) or any(t in text for t in _OUT_OF_MEMORY)
