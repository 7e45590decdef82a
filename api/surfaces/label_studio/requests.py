"""From Label Studio's tasks to rows of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ....protocol.errors import InvalidRequest, WherryError
from ....tasks.base import Task, TaskInput
from ....tasks.label_studio.results import Size
from ....tasks.media.size import displayed_size
from ....tasks.tensors import TensorSpec
from ...egress.named_files import NamedFiles
from ...http.media import read_media
from .config import Config

#: How Label Studio calls files that were uploaded to it, and those that it only points at.
_UPLOADED, _LOCAL = "/data/upload/", "/data/local-files/"


@dataclass(frozen=True, slots=True)
class MediaPlaces:
    """Where files lie for this server: Label Studio's own, None for nowhere, and those at URLs."""

    uploads: Path | None
    local_files: Path | None
    files: NamedFiles


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task's row, and the size of its image."""

    given: TaskInput
    size: Size | None


def content_of(task: Task) -> str:
    """What a row shows people: image, audio or text."""
    contents = {spec.content for spec in task.inputs}
    return next((content for content in ("image", "audio") if content in contents), "text")


def read_tasks(
    given: object, task: Task, config: Config, places: MediaPlaces
) -> list[TaskRow | WherryError]:
    """A row of each task, or why it has none. Raises InvalidRequest where there are no tasks."""
    if not isinstance(given, list):
        raise InvalidRequest("tasks: expected a list")
    return [_read(entry, task, config, places) for entry in given]


def _read(entry: object, task: Task, config: Config, places: MediaPlaces) -> TaskRow | WherryError:
    data = entry.get("data") if isinstance(entry, dict) else None
    try:
        if not isinstance(data, dict):
            raise InvalidRequest("data: expected an object")
        reading = _Reading(task, config, places, data)
        fields = {
            spec.field: [value] if spec.field in task.input.ROWS else value
            for spec in task.inputs
            if (value := reading.value(spec)) is not None
        }
        return TaskRow(task.input.validated(fields), reading.size)
    except WherryError as error:
        return error


@dataclass(slots=True)
class _Reading:
    """One task's data while it is read."""

    task: Task
    config: Config
    places: MediaPlaces
    data: Mapping[str, Any]  # any JSON
    size: Size | None = None

    def value(self, spec: TensorSpec) -> Any:
        """What the data has for an input; None for an optional one that is not there."""
        if spec.is_file:
            return self._file(spec)
        named = next((self.data[n] for n in (spec.name, spec.field) if n in self.data), None)
        if spec.field == "candidate_labels":
            return named or self.config.labels()
        shown = self.config.object_of("text")
        if named is None and spec.content == "text" and shown and not spec.optional:
            named = self.data.get(shown.key)
        if named is None and not spec.optional:
            raise InvalidRequest(f"data has nothing for {spec.name!r}")
        if spec.content == "text" and named is not None and not isinstance(named, str):
            raise InvalidRequest(f"data: expected text for {spec.name!r}")
        return named

    def _file(self, spec: TensorSpec) -> bytes:
        shown = self.config.object_of(spec.content)
        if shown is None:
            raise InvalidRequest(f"label_config: no tag shows {spec.content}")
        found = self.data.get(shown.key)
        file = _media(found, f"data.{shown.key}", self.places)
        if spec.content == "image":
            self.size = displayed_size(file)
        return file


def _media(value: object, field: str, places: MediaPlaces) -> bytes:
    if isinstance(value, str) and value.startswith(_UPLOADED):
        rest = unquote(urlsplit(value).path.removeprefix(_UPLOADED))
        return _own_file(places.uploads, rest, field, "WHERRY_LABEL_STUDIO_UPLOADS")
    if isinstance(value, str) and value.startswith(_LOCAL):
        rest = parse_qs(urlsplit(value).query).get("d", [""])[0]
        return _own_file(places.local_files, rest, field, "WHERRY_LABEL_STUDIO_LOCAL_FILES")
    return read_media(value, field, places.files)


def _own_file(folder: Path | None, rest: str, field: str, setting: str) -> bytes:
    """A file below a folder, wherever its links lead. Raises InvalidRequest."""
    if folder is None:
        raise InvalidRequest(f"{field}: {setting} names no folder where Label Studio's files lie")
    try:
        path = (folder / rest.lstrip("/")).resolve()
        if path.is_relative_to(folder.resolve()):
            return path.read_bytes()
    except (OSError, ValueError):
        pass
    raise InvalidRequest(f"{field}: there is no such file in the folder of {setting}")
