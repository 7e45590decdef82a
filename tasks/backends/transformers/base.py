from __future__ import annotations

import logging
import traceback
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import torch

from ....protocol.errors import OutOfMemory
from ...base import Task
from ..base import Backend, ModelRefused
from ..company import TOLERANCE, chosen
from ..cores import usable_cores
from ..device import Device
from ..facts import ModelFacts
from ..placement import place
from ..sources import opened
from .attention import attention_fault, check_attention
from .facts import facts_of
from .whole import load_whole, package_fault, read_config, refusal

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
    `attention` is how attention is computed (eager, sdpa, flash_attention_2), where the model can;
    empty leaves the choice to transformers.
    `batching` says which rows share a forward (padded, equal-length, one-by-one), where the model
    pads rows at all; empty finds it out.
    """

    #: The auto class of transformers that loads the model.
    auto_class: str
    #: Patterns of the names of weights that the task does not read, which a folder may lack.
    unread: ClassVar[tuple[str, ...]] = ()

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
        attention: str = "",
    ) -> None:
        super().__init__(task, opened(source or task.default_model), device=device)
        self._attention = attention
        self._declared = chosen(batching)
        if self._declared:
            if type(self).probe is Backend.probe:
                raise ValueError(f"batching {batching!r}: {task.name} pads no rows")
            self.company = self._declared
        if dtype not in _DTYPES:
            raise ValueError(f"dtype {dtype!r}: use {', '.join(_DTYPES)}")
        self._dtype, self._threads, self._revision = _DTYPES[dtype], threads, revision
        #: What torch calls the device that the model is on.
        self.place = device.name
        self.model: Any = None  # transformers loads its classes at run time
        #: The weights that the folder lacks, all of them `unread`.
        self.lacking: list[str] = []

    def load(self) -> None:
        """Load weights (safetensors only, no remote code) and move them to the device.

        Raises ModelRefused for a folder that lacks something.
        """
        import transformers

        # Its advice on torchvision and its bars per weight file would drown a worker's log.
        transformers.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        self.place = self.find_place()
        check_attention(self._attention, self._dtype, self.place)
        if Path(str(self.source)).is_file():
            raise ModelRefused(f"{self.source} is a file: name the folder that it lies in")
        self.bound_threads()
        with self.refusing():
            self.model, self.lacking = self.load_model()
            self.model.eval().to(self.place)
            self.load_processor()

    def bound_threads(self) -> None:
        """Bound torch's threads to those declared, else to the cores that the process may use: it
        knows of no container's quota.
        """
        if self._threads or usable_cores() < torch.get_num_threads():
            torch.set_num_threads(self._threads or usable_cores())

    def find_place(self) -> str:
        """What torch calls the device. Raises ModelRefused where it cannot compute there."""
        return torch_place(self.device)

    def load_model(self) -> tuple[Any, list[str]]:
        """Load the weights, and name those that the folder lacks. Raises ModelRefused."""
        return load_whole(self.auto_class, str(self.source), self.unread, **self.loading())

    def loading(self) -> dict[str, Any]:
        """What weights are loaded with."""
        chosen_attention = {"attn_implementation": self._attention} if self._attention else {}
        return {"dtype": self._dtype, "revision": self._revision, **chosen_attention}

    def read_config(self) -> Any:
        """The model's config, before its weights are read. Raises ModelRefused without one."""
        with self.refusing():
            return read_config(str(self.source), self._revision)

    @contextmanager
    def refusing(self, part: str = "") -> Iterator[None]:
        """Have transformers' errors about what a folder lacks, or what is not installed, refuse the
        model, in one line.
        """
        try:
            yield
        except (ImportError, ValueError) as error:
            fault = package_fault(error) or attention_fault(error, self._attention)
            if not fault:
                raise
            raise ModelRefused(f"{self.source}: {fault}") from error
        except OSError as error:
            if not Path(str(self.source)).is_dir():  # a hub that cannot be reached
                raise
            raise refusal(f"{self.source}{part and '/'}{part}", error) from error

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
                self.place,
                self._dtype if tensor.is_floating_point() else tensor.dtype,
                non_blocking=True,
            )
            for name, tensor in tensors.items()
        }

    def facts(self) -> ModelFacts:
        """What torch and the model's config say of it."""
        return facts_of(self.model, self.task, self._revision)

    def close(self) -> None:
        """Drop the model; a GPU's memory is given back."""
        self.model = None
        if self.place.startswith("cuda"):
            torch.cuda.empty_cache()


def torch_place(device: Device) -> str:
    """What torch computes on for a worker's device. Raises ModelRefused where it cannot."""
    kind, _, number = device.name.partition(":")
    fault, remedy = "", "install a build of torch for this machine's driver"
    if kind == "cuda" and torch.version.cuda is None and torch.version.hip is None:
        fault = f"torch {torch.__version__} was built without CUDA"
    elif kind == "cuda" and not torch.cuda.is_available():
        fault = f"torch {torch.__version__} finds no GPU that it can use"
    elif kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        fault, remedy = f"torch sees {torch.cuda.device_count()} GPUs", "use cuda:N of those"
    return place(device, fault, remedy)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether the device had too little memory, whichever library said so."""
    text = str(error)
    return isinstance(error, torch.OutOfMemoryError) or any(t in text for t in _OUT_OF_MEMORY)
