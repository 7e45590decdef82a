"""A model's configuration in the words of Triton's model_config.proto."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...jobs.group import DEFAULT_PRIORITY
from ...protocol import v2
from ...protocol.datatypes import Datatype
from ...tasks.base import Task
from ...tasks.catalog import ModelDeclaration
from ...tasks.text.generation import GenerationOutput
from .models import metadata_of
from .service import Service

#: The least urgent priority that a request may have.
_PRIORITIES = 9


def config_of(service: Service, declared: ModelDeclaration) -> dict[str, Any]:
    """A model's configuration, with enums by their names, as Triton's JSON has them."""
    task, told = service.live.task(declared), metadata_of(service, declared)
    batches = task.input.batches_rows()
    config: dict[str, Any] = {
        "name": declared.name,
        "platform": told.platform,
        "backend": told.platform.removeprefix("wherry_"),
        "version_policy": {"specific": {"versions": _numbers(told.versions)}},
        "max_batch_size": declared.max_batch_size if batches else 0,
        "input": [
            {
                **_tensor(tensor, batches=batches),
                "format": "FORMAT_NONE",
                "allow_ragged_batch": False,
                "optional": bool((tensor.parameters or {}).get("optional")),
            }
            for tensor in told.inputs
        ],
        "output": [
            {**_tensor(tensor, batches=batches), "label_filename": ""} for tensor in told.outputs
        ],
        "instance_group": [],
        "default_model_filename": "",
        "parameters": {"task": {"string_value": task.name}},
        "model_warmup": [],
        "model_transaction_policy": {"decoupled": is_decoupled(task)},
    }
    if batches:
        config["dynamic_batching"] = {
            "preferred_batch_size": declared.preferred_batch_size,
            "max_queue_delay_microseconds": declared.max_queue_delay_microseconds,
            "preserve_ordering": False,
            "priority_levels": _PRIORITIES,
            "default_priority_level": DEFAULT_PRIORITY,
        }
    return config


def is_decoupled(task: Task) -> bool:
    """Whether one request of a stream may have several responses."""
    return issubclass(task.output, GenerationOutput)


def _tensor(tensor: v2.TensorMetadata, *, batches: bool) -> dict[str, Any]:
    """A tensor; where rows are batched, Triton's dims leave out their axis.

    Dims must not be empty there: what has no axis of its own is [1], and reshaped.
    """
    dims = tensor.shape[1:] if batches else tensor.shape
    return {
        "name": tensor.name,
        "data_type": _TYPES.get(tensor.datatype) or f"TYPE_{tensor.datatype.value}",
        "dims": dims or [1],
        **({} if dims else {"reshape": {"shape": []}}),
        "is_shape_tensor": False,
    }


_TYPES = {Datatype.BYTES: "TYPE_STRING"}


def _numbers(versions: Sequence[str]) -> list[int]:
    """Versions that are numbers: Triton knows no others."""
    return [int(version) for version in versions if version.isascii() and version.isdigit()]
