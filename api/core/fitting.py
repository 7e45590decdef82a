"""Which model is to answer: one that is named, or the only one that can."""

from __future__ import annotations

from ...protocol.errors import InvalidRequest
from ...tasks.catalog import ModelDeclaration
from .service import Service


def model_for(service: Service, name: str, *tasks: str) -> ModelDeclaration:
    """The model of that name, which must do one of the tasks.

    Raises ModelNotFound, and InvalidRequest that names the models which would do.
    """
    model = service.catalog.find(name)
    if model.task in tasks:
        return model
    fit = ", ".join(_names(service, *tasks)) or "no model here does that"
    raise InvalidRequest(
        f"model: {name!r} does {model.task}; this path is for {' and '.join(tasks)}: {fit}"
    )


def only_model(service: Service, *tasks: str) -> ModelDeclaration:
    """The model for a request that names none: of the first task that any model does.

    Raises InvalidRequest that names the models, where there are several or none.
    """
    for task in tasks:
        names = _names(service, task)
        if len(names) == 1:
            return service.catalog.find(names[0])
        if names:
            raise InvalidRequest(f"model: missing; several would do: {', '.join(names)}")
    raise InvalidRequest(f"model: missing, and no model here does {' or '.join(tasks)}")


def _names(service: Service, *tasks: str) -> list[str]:
    return sorted({model.name for model in service.catalog.models if model.task in tasks})
