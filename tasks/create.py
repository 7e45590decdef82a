"""Tasks without a queue: `create_task("transformers", "image-classification")`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..protocol import v2
from ..protocol.errors import RowError, WherryError
from .backends import backend_table, create_backend
from .backends.base import Backend
from .backends.device import Device
from .base import Task, TaskInput, TaskOutput


class LocalTask:
    """A task with its model, in this process. Close it, or use it in a `with` block."""

    def __init__(self, task: Task, backend: Backend, model_name: str) -> None:
        self.task, self.backend, self.model_name = task, backend, model_name

    def process(self, inputs: TaskInput) -> TaskOutput:
        """Answer every row in one batch. Raises the first row's error, named by its number."""
        from .parts import Parts

        parts = Parts(inputs.rows())
        rows: list[TaskOutput] = []
        for index, answer in enumerate(parts.answers(self.backend.run(parts.rows))):
            if isinstance(answer, WherryError):
                raise RowError(f"row {index}: {answer.message}")
            rows.append(answer)
        return self.task.output.join(rows)

    def __call__(self, request: v2.InferenceRequest) -> v2.InferenceResponse:
        """Answer an OIP v2 request; its id and choice of outputs are honoured."""
        response = self._respond(self.task.input.from_inference_request(request))
        if request.outputs:
            chosen = [response.output(wanted.name) for wanted in request.outputs]
            response = response.model_copy(update={"outputs": chosen})
        return response.model_copy(update={"id": request.id})

    def run(self, **fields: Any) -> v2.InferenceResponse:
        """Answer the input that these fields make."""
        return self._respond(self.task.input.validated(fields))

    def _respond(self, inputs: TaskInput) -> v2.InferenceResponse:
        from .blanks import with_blanks  # what tasks there are is told without numpy and Pillow

        response = self.process(inputs).response(self.model_name)
        return with_blanks(response, self.task, inputs.rows())

    def close(self) -> None:
        """Free the model."""
        self.backend.close()

    def __enter__(self) -> LocalTask:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def create_task(
    backend: str,
    task_name: str,
    model_name: str | None = None,
    model_params: Mapping[str, Any] | None = None,
) -> LocalTask:
    """Make a task with its model loaded. `model_params` go to the backend; `device` is one.

    Raises ValueError for an unknown backend or task, ModelRefused for a model that cannot be served
    as it stands.
    """
    parameters = dict(model_params or {})
    device = Device(str(parameters.pop("device", "cpu")))
    made = create_backend(backend, task_name, model_name, device=device, **parameters)
    made.load()
    made.find_company()  # a batch of several rows may come without a queue, too
    return LocalTask(made.task, made, model_name or task_name)


def supported_tasks(backend: str | None = None) -> dict[str, list[str]]:
    """Per backend, the tasks it can do. Raises ValueError for an unknown backend."""
    table = backend_table()
    if backend is None:
        return {name: sorted(tasks) for name, tasks in table.items()}
    if backend not in table:
        raise ValueError(f"unknown backend {backend!r}; there are {', '.join(table)}")
    return {backend: sorted(table[backend])}
