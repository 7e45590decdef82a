"""A request as Hugging Face's clients send it: JSON with `inputs`, or a file as the whole body."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic_core import from_json

from ....protocol.errors import InvalidRequest, PayloadTooLarge
from ....protocol.json_text import parse_json
from ....tasks.base import Task
from ...egress.named_files import NO_FILES, NamedFiles

#: What the root of a body may hold besides inputs and parameters, and says nothing here.
_ROOT_IGNORED = ("inputs", "parameters", "options", "stream", "model")

#: Query parameters that are text, whatever they look like.
_TEXTS = ("candidate_labels", "hypothesis_template", "language", "prompt", "question", "text")

_NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,18})?([eE][-+]?\d{1,3})?")

#: A string, closed or not, or a comma before a closing bracket. Possessive: linear in the body.
_STRING_OR_COMMA = re.compile(r'"(?:[^"\\]|\\.)*+"?|,(?=\s*+[}\]])', re.DOTALL)

#: Bytes of a body that is repaired: each control character takes a string of its own.
_MAX_REPAIRED_BYTES = 1_000_000

_CONTROL = re.compile(r"[\x00-\x1f]")


@dataclass(frozen=True, slots=True)
class HfRequest:
    """A request, read as far as every task reads it alike."""

    inputs: Any
    #: Those of the query, of the root, and of `parameters`; a reader takes out what is input.
    parameters: dict[str, Any]
    #: The whole JSON object, for handlers that want it all.
    document: Mapping[str, Any]
    stream: bool = False
    accept: str = ""
    agent: str = ""
    #: Those that inputs name by URL.
    files: NamedFiles = NO_FILES

    @property
    def by_javascript(self) -> bool:
        """Whether the client is `@huggingface/inference`, which parses some answers otherwise."""
        return "@huggingface/inference" in self.agent

    @property
    def wants_json(self) -> bool:
        """Whether the client asks for JSON where a picture or a sound would go out as it is."""
        return "application/json" in self.accept and "*/*" not in self.accept


class Rows(NamedTuple):
    """The fields of an input that `inputs` filled."""

    fields: dict[str, Any]
    #: Whether a list was sent, so that a list is to be answered.
    many: bool = False
    #: Which of several shapes it had, where the answer's follows from it.
    form: str = ""
    #: Width and height that the answer's pictures are wanted in.
    size: tuple[int, int] | None = None


def read_request(
    task: Task,
    body: bytes,
    headers: Mapping[str, str],
    query: Sequence[tuple[str, str]],
) -> HfRequest:
    """Read a body, JSON or not. Raises InvalidRequest."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    accept, agent = headers.get("accept", ""), headers.get("user-agent", "")
    if kind == "multipart/form-data":
        raise InvalidRequest("the body: send the file itself, or JSON with base64, not a form")
    document = _document(task, body, is_json=kind == "application/json")
    asked = _query(query)
    if document is None:
        return HfRequest(_text_or_file(task, body), asked, {}, accept=accept, agent=agent)
    parameters = document.get("parameters")
    if parameters is None:
        parameters = {}
    if not isinstance(parameters, dict):
        raise InvalidRequest("parameters: expected an object")
    root = {name: document[name] for name in document if name not in _ROOT_IGNORED}
    stream = document.get("stream")
    if not isinstance(stream, bool | None):
        raise InvalidRequest("stream: use true or false")
    return HfRequest(
        document.get("inputs"),
        {**asked, **root, **parameters},
        document,
        stream=bool(stream),
        accept=accept,
        agent=agent,
    )


def _document(task: Task, body: bytes, *, is_json: bool) -> dict[str, Any] | None:
    """The JSON object that a body is; None for a file or a text."""
    if not is_json and body.removeprefix(BOM_UTF8).lstrip()[:1] != b"{":
        return None
    try:
        found = read_json(body)
    except InvalidRequest:
        if not is_json and takes_file(task):
            return None  # raw samples may begin with any byte
        raise
    if not isinstance(found, dict):
        raise InvalidRequest(f"the body: expected a JSON object, got {type(found).__name__}")
    return found


def read_json(body: bytes) -> Any:
    """JSON as strict parsers take it, or as Hugging Face prints it: with line breaks inside
    strings, and commas after the last entry. Raises InvalidRequest.
    """
    try:
        return parse_json(body)
    except PayloadTooLarge:
        raise
    except InvalidRequest as error:
        if len(body) > _MAX_REPAIRED_BYTES:
            raise
        reason = error
    try:
        text = body.decode("utf-8-sig")
        return from_json(_STRING_OR_COMMA.sub(_repaired, text), allow_inf_nan=False)
    except ValueError:
        raise reason from None


def _repaired(match: re.Match[str]) -> str:
    found = match[0]
    if found == ",":
        return ""
    return _CONTROL.sub(lambda control: f"\\u{ord(control[0]):04x}", found)


def takes_file(task: Task) -> bool:
    """Whether a row of the task is a file, or has one."""
    return any(spec.is_file for spec in task.inputs)


def _text_or_file(task: Task, body: bytes) -> bytes | str:
    """A body that is no JSON: a file for tasks that take one, else a text."""
    if not body:
        raise InvalidRequest("the body is empty; send JSON with inputs, or a file")
    if takes_file(task):
        return body
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise InvalidRequest(f"the body: {task.name} takes text, not a file") from None


def _query(query: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Query parameters: numbers and booleans by their look, a list where a name is repeated."""
    found: dict[str, list[Any]] = {}
    for name, text in query:
        found.setdefault(name, []).append(text if name in _TEXTS else _scalar(text))
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


def _scalar(text: str) -> Any:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    match = _NUMBER.fullmatch(text)
    if not match:
        return text
    return float(text) if match[1] or match[2] else int(text)
