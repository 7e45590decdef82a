"""Which inputs are a list of texts with plain parameters: they are read and written in one step."""

from __future__ import annotations

import functools

from pydantic_core import PydanticUndefined

from ...protocol.datatypes import Datatype
from ..base import TaskInput
from .texts import TextsInput


@functools.cache  # asked for every request
def takes_texts_alone(kind: type[TaskInput]) -> bool:
    """Whether an input is one list of texts, and parameters that have defaults.

    Where its parameters are good with one such list, they are with any other.
    """
    if len(kind.TENSORS) != 1 or kind.ONE_OF or kind.RECORD:
        return False
    (spec,) = kind.TENSORS
    texts = kind.model_fields[spec.field]
    rest = [field for name, field in kind.model_fields.items() if name != spec.field]
    return (
        (spec.content, spec.datatype, spec.shape) == ("text", Datatype.BYTES, (-1,))
        and not spec.optional
        and (spec.field,) == kind.ROWS
        and texts.annotation == list[str]
        and texts.metadata == TextsInput.model_fields["texts"].metadata
        and kind.model_config == TaskInput.model_config
        and not any(field.is_required() or field.default_factory for field in rest)
        and not any(field.default is PydanticUndefined for field in rest)
        and _has_no_code_of_its_own(kind)
    )


def _has_no_code_of_its_own(kind: type[TaskInput]) -> bool:
    ours, base = kind.__pydantic_decorators__, TaskInput.__pydantic_decorators__
    return (
        not (ours.field_validators or ours.root_validators or ours.validators)
        and ours.model_validators.keys() == base.model_validators.keys()
        and not any(
            name in vars(each)
            for each in kind.__mro__[: kind.__mro__.index(TaskInput)]
            for name in _READING
        )
    )


#: Methods of an input that reading one calls.
_READING = (
    "__init__",
    "as_declared",
    "costs",
    "from_inference_request",
    "model_post_init",
    "row",
    "row_count",
    "rows",
    "to_inference_request",
    "validated",
)
