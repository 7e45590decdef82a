from __future__ import annotations

import copy
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...protocol.errors import RowError
from ..base import Task, TaskInput, TaskOutput
from .base import Backend
from .device import Device
from .facts import ModelFacts
from .trusted import run_file

log = logging.getLogger(__name__)


class Handler(Backend):
    """A folder's own `handler.py` with a class EndpointHandler, called with one row at a time.

    It runs code from the folder, with all that this process may do: `handler_dir` is the operator's
    word that what lies in there is trusted, and no folder elsewhere is loaded.
    """

    def __init__(
        self, task: Task, source: str | None, *, device: Device, handler_dir: str | Path = ""
    ) -> None:
        super().__init__(task, source, device=device)
        self._file = trusted_file(source, handler_dir)
        self._handler: Any = None  # somebody's class

    def load(self) -> None:
        """Run handler.py and make its EndpointHandler. Raises ValueError when it has none."""
        made = getattr(run_file(self._file), "EndpointHandler", None)
        if made is None:
            raise ValueError(f"{self._file} has no class EndpointHandler")
        self._handler = made(path=str(self._file.parent))

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Call the handler for each row; one that raises fails alone."""
        with self.device.compute():
            return [self._answer(row) for row in batch]

    def _answer(self, row: TaskInput) -> TaskOutput | RowError:
        data = row.data[0]  # type: ignore[attr-defined] # its own Input
        try:
            result = self._handler(copy.deepcopy(data))
            # What JSON cannot carry must fail here, beside the row, and not when it is written.
            result = json.loads(json.dumps(result, allow_nan=False))
        except RowError as error:
            return error
        except (Exception, SystemExit) as error:
            # Its text may tell what is none of a client's business.
            log.warning("%s: a row failed", self._file, exc_info=True)
            return RowError(f"the handler failed with {type(error).__name__}")
        return self.task.output.model_validate({"results": [result]})

    def facts(self) -> ModelFacts:
        """Its own code: nothing more is known."""
        return ModelFacts(runtime="handler")

    def close(self) -> None:
        """Drop the handler."""
        self._handler = None


def trusted_file(source: str | None, handler_dir: str | Path) -> Path:
    """The handler.py of a folder that lies in `handler_dir`, links followed. Raises ValueError."""
    if not str(handler_dir):
        raise ValueError("custom handlers are off; WHERRY_HANDLER_DIR names where trusted ones lie")
    if not source:
        raise ValueError("a custom handler needs a source: its folder")
    trusted = Path(handler_dir).resolve()
    folder = (trusted / source).resolve()  # an absolute source stays as it is
    file = (folder / "handler.py").resolve()
    if not (folder.is_relative_to(trusted) and file.is_relative_to(trusted)):
        raise ValueError(f"{source!r} leads out of the handlers' directory {trusted}")
    if folder.is_file():
        raise ValueError(f"{source!r} is a file: name the folder that handler.py lies in")
    if not folder.is_dir():
        raise ValueError(f"there is no folder {source!r} in the handlers' directory {trusted}")
    if not file.is_file():
        raise ValueError(f"{source!r} has no handler.py")
    return file
