"""Whether a declaration's parameters are those of its backend."""

from __future__ import annotations

from collections.abc import Iterator

from ...protocol.nearest import meant
from ..backends import backend_places
from ..catalog import OF_GRAPHS, ModelDeclaration
from .backend_class import BackendClass
from .dialects import dialect_faults, dialect_parameters
from .fault import Fault

#: Tasks that hand on parameters to their backend's class of another task.
GIVEN_TO = {"image-anonymization": "object-detection"}

#: Where the model's own fields belong.
_BESIDE = ": it is a field of the model, to be said beside parameters"


def parameter_faults(declared: ModelDeclaration, made: BackendClass) -> Iterator[Fault]:
    """A fault for each name that the backend, or the dialect, takes nothing by."""
    known = made.parameters()
    if known is None:
        task = GIVEN_TO.get(declared.task, declared.task)
        other = BackendClass.of(backend_places(declared.backend)[task])
        taken = other.parameters()
        if taken is None and declared.backend in OF_GRAPHS:
            yield from dialect_faults(task, declared)
            taken = dialect_parameters(task, declared)
        if taken is None:
            return  # only the class itself can tell
        known = made.named() | other.named() | taken
    dialect = declared.parameters.get("dialect") if "dialect" in known else None
    who = repr(declared.backend) + (f" with dialect {dialect!r}" if dialect else "")
    for name in declared.parameters:
        if name not in known:
            listed = f"; there are {', '.join(sorted(known))}" if known else ", nor any other"
            is_field = name in ModelDeclaration.model_fields
            hint = _BESIDE if is_field else meant(name, known) or listed
            yield Fault(f"parameters: {who} takes no {name!r}{hint}")
