"""From Label Studio's tasks to rows of ours: one for each picture, sound or text to annotate."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
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
from .config import Config, ObjectTag
from .prompts import DrawnRegion, prompt_fields, takes_prompts

#: How Label Studio calls files that were uploaded to it, and those that it only points at.
_UPLOADED, _LOCAL = "/data/upload/", "/data/local-files/"

#: How it calls those of a cloud storage, which it would sign or hand on.
_STORED = re.compile(r"/tasks/\d+/(?:resolve|presign)/")

#: Characters of a file's address, at most: what is longer is the file itself, in base64 or a data:
#: URL. urllib would keep that, and what it takes from it, for as long as the process lives.
_MOST_ADDRESS = 8192


@dataclass(frozen=True, slots=True)
class MediaPlaces:
    """Where files lie for this server: Label Studio's own, None for nowhere, and those at URLs."""

    uploads: Path | None
    local_files: Path | None
    files: NamedFiles


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One thing of a task that a model is asked about."""

    given: TaskInput
    #: Where its results are shown; None where the page has no such place.
    shown: ObjectTag | None
    #: Of which page of it; None for one that has none.
    item: int | None = None
    #: The image's size.
    size: Size | None = None
    #: What somebody has said that it is, by prompt; "" where nothing was said.
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PredictCall:
    """What a call asks of each of its tasks."""

    task: Task
    config: Config
    #: The types of results that the model's answers make.
    kinds: Collection[str]
    #: What somebody drew who waits for the answer.
    regions: Sequence[DrawnRegion] = ()


def content_of(task: Task) -> str:
    """What a row shows people: image, film, audio or text."""
    if task.input.ROWS[0] == "videos":
        return "video"
    contents = {spec.content for spec in task.inputs}
    return next((content for content in ("image", "audio") if content in contents), "text")


def read_tasks(
    given: object, asked: PredictCall, places: MediaPlaces
) -> list[list[TaskRow] | WherryError]:
    """The rows of each task, or why it has none. Raises InvalidRequest where there are no tasks."""
    if not isinstance(given, list):
        raise InvalidRequest("tasks: expected a list")
    return [_read(entry, asked, places) for entry in given]


def _read(entry: object, asked: PredictCall, places: MediaPlaces) -> list[TaskRow] | WherryError:
    data = entry.get("data") if isinstance(entry, dict) else None
    try:
        if not isinstance(data, dict):
            raise InvalidRequest("data: expected an object")
        return [
            _Reading(asked, places, data, shown, item).row() for shown, item in _things(asked, data)
        ]
    except WherryError as error:
        return error


def _things(
    asked: PredictCall, data: Mapping[str, Any]
) -> list[tuple[ObjectTag | None, int | None]]:
    """What of a task's page is annotated, and by which pages. Raises InvalidRequest.

    All that has a control for the answers; of several those that this task has; where somebody drew
    prompts, what these are on.
    """
    content = content_of(asked.task)
    shown = asked.config.annotated(asked.kinds, content) or asked.config.objects(content)[:1]
    if not shown:
        return [(None, None)]
    there = [one for one in shown if data.get(one.key)] or shown[:1]
    things: list[tuple[ObjectTag | None, int | None]] = []
    for one in there:
        if not one.many:
            things.append((one, None))
            continue
        pages = data.get(one.key)
        if not isinstance(pages, list):
            raise InvalidRequest(f"data.{one.key}: expected a list, as valueList has it")
        things += [(one, page) for page in range(len(pages))]
    if asked.regions and takes_prompts(asked.task):
        things = [(one, page) for one, page in things if _drawn_on(asked.regions, one, page)]
    return things


def _drawn_on(
    regions: Sequence[DrawnRegion], shown: ObjectTag | None, page: int | None
) -> list[DrawnRegion]:
    return [
        region
        for region in regions
        if shown is None
        or (region.to_name in ("", shown.name) and (page is None or (region.item or 0) == page))
    ]


@dataclass(slots=True)
class _Reading:
    """One thing of a task's data while it is read."""

    asked: PredictCall
    places: MediaPlaces
    data: Mapping[str, Any]  # any JSON
    shown: ObjectTag | None
    item: int | None
    size: Size | None = None
    labels: tuple[str, ...] = field(default=())

    def row(self) -> TaskRow:
        """Raises InvalidRequest."""
        task = self.asked.task
        fields = {
            spec.field: [value] if spec.field in task.input.ROWS else value
            for spec in task.inputs
            if (value := self._value(spec)) is not None
        }
        fields |= self._extras()
        return TaskRow(task.input.validated(fields), self.shown, self.item, self.size, self.labels)

    def _extras(self) -> dict[str, Any]:
        """What the page says of a row beside its data."""
        task, shown = self.asked.task, self.shown
        if "return_timestamps" in task.input.model_fields and shown is not None:
            return {"return_timestamps": True} if self.asked.config.times_speech(shown) else {}
        if not takes_prompts(task) or not self.asked.regions:
            return {}
        if self.size is None:
            raise InvalidRequest("context: the size of what is drawn on is not known")
        regions = _drawn_on(self.asked.regions, shown, self.item)
        prompts = prompt_fields(regions, self.size)
        said = [region.label for region in regions]
        # All points are one object's, which any of them may name; each rectangle is one's own.
        one = "points" in prompts
        self.labels = (next(filter(None, said), ""),) if one else tuple(said)
        return prompts

    def _value(self, spec: TensorSpec) -> Any:
        """What the data has for an input; None for an optional one that is not there."""
        if spec.is_file and (not spec.optional or spec.name in self.data):
            return self._file(spec)
        named = next((self.data[n] for n in (spec.name, spec.field) if n in self.data), None)
        if spec.field == "candidate_labels":
            return named or self.asked.config.labels()
        if named is None and spec.content == "text" and not spec.optional:
            named = self._shown_text()
        if named is None and not spec.optional:
            raise InvalidRequest(f"data has nothing for {spec.name!r}")
        if spec.content == "text" and named is not None and not isinstance(named, str):
            raise InvalidRequest(f"data: expected text for {spec.name!r}")
        return named

    def _shown_text(self) -> Any:
        texts = self.asked.config.objects("text")
        shown = self.shown if self.shown in texts else next(iter(texts), None)
        return self.data.get(shown.key) if shown else None

    def _file(self, spec: TensorSpec) -> bytes:
        if self.shown is None:
            raise InvalidRequest(f"label_config: no tag shows {content_of(self.asked.task)}")
        found, named = self.data.get(self.shown.key), f"data.{self.shown.key}"
        if self.item is not None and isinstance(found, list):
            found, named = found[self.item], f"{named}[{self.item}]"
        file = _media(found, named, self.places)
        if spec.content == "image":
            self.size = displayed_size(file)
        return file


def _media(value: object, field: str, places: MediaPlaces) -> bytes:
    if not isinstance(value, str) or len(value) > _MOST_ADDRESS:
        return read_media(value, field, places.files)
    if value.startswith(_UPLOADED):
        rest = unquote(urlsplit(value).path.removeprefix(_UPLOADED))
        return _own_file(places.uploads, rest, field, "WHERRY_LABEL_STUDIO_UPLOADS")
    if value.startswith(_LOCAL):
        rest = parse_qs(urlsplit(value).query).get("d", [""])[0]
        return _own_file(places.local_files, rest, field, "WHERRY_LABEL_STUDIO_LOCAL_FILES")
    if _STORED.search(urlsplit(value).path):
        value = _named_in(value, field)
    return read_media(value, field, places.files)


def _named_in(url: str, field: str) -> str:
    """The file of a cloud storage that Label Studio's own URL stands for. Raises InvalidRequest."""
    named = parse_qs(urlsplit(url).query).get("fileuri", [""])[0]
    try:
        return base64.urlsafe_b64decode(named + "=" * (-len(named) % 4)).decode()
    except (binascii.Error, UnicodeError, ValueError):
        raise InvalidRequest(f"{field}: its fileuri cannot be read") from None


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
