"""The request that most clients of a task of texts send, written down as it comes.

The usual way makes tensors of a request, an input of these, tensors of that, and writes them: a
third of what a short request costs. A body that gives texts and parameters of their task comes to
the same bytes in one step. Whatever else is in it, or wrong with it, is left to the usual way.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from ...protocol.errors import InvalidRequest
from ...protocol.parameters import SERVER_PARAMETERS
from ...tasks.base import Task
from ...tasks.text.texts_alone import takes_texts_alone
from . import server_parameters

_LENGTH = struct.Struct("<I")

#: Bytes of text that `tasks.cost` takes for a token. An element's length takes as many.
_BYTES_PER_TOKEN = 4


#: Bytes of parameters whose form is kept in memory.
_LONGEST = 512


class Written(NamedTuple):
    """A request as the fleet keeps it."""

    payload: bytes
    header_length: int
    rows: int
    #: The parameters that it has.
    parameters: Mapping[str, Any]


def write(document: object, task: Task, most_rows: int) -> Written | None:
    """Write parsed JSON that gives a task its texts, and parameters of its own; else None."""
    if type(document) is not dict:
        return None
    given, parameters = document.get("inputs"), document.get("parameters")
    if parameters is None:
        parameters = _EMPTY
    if (
        type(given) is not list
        or len(given) != 1
        or type(document.get("id", "")) not in _NAMES
        or document.get("outputs") is not None
        or type(parameters) is not dict
    ):
        return None
    said = to_json(parameters) if parameters else b"{}"
    form = _form(task, said) if len(said) <= _LONGEST else None
    texts = None if form is None else _texts(given[0], form.name)
    if form is None or texts is None or len(texts) > most_rows:
        return None
    try:
        raw = b"".join([part for text in texts for part in _element(text)])
    except UnicodeEncodeError:  # half a surrogate pair
        return None
    if len(raw) > task.max_row_cost * _BYTES_PER_TOKEN:  # then no row weighs too much
        return None
    header = form.header % (len(texts), len(raw))
    return Written(header + raw, len(header), len(texts), form.parameters)


_EMPTY: dict[str, Any] = {}
_NOTHING: tuple[Any, ...] = ({}, None)
_NAMES = (str, type(None))


def _texts(tensor: Any, name: str) -> list[str] | None:
    if type(tensor) is not dict or tensor.get("name") != name:
        return None
    texts, shape = tensor.get("data"), tensor.get("shape")
    if (
        type(texts) is not list
        or not texts
        or set(map(type, texts)) != _STRINGS
        or type(shape) is not list
        or shape != [len(texts)]
        or type(shape[0]) is not int  # true is 1
        or tensor.get("datatype") != "BYTES"
        or tensor.get("parameters", _EMPTY) not in _NOTHING
    ):
        return None
    return texts


_STRINGS = {str}


def _element(text: str) -> tuple[bytes, bytes]:
    element = text.encode()
    return _LENGTH.pack(len(element)), element


class _Form(NamedTuple):
    """How a request of texts, with the same parameters, is written."""

    name: str
    #: Its JSON, to be filled with the number of rows and the bytes of their texts.
    header: bytes
    parameters: Mapping[str, Any]


@functools.lru_cache(maxsize=4096)
def _form(task: Task, said: bytes) -> _Form | None:
    """None for a task whose requests are more than texts, or are looked at by code of its own; and
    for parameters that it refuses, or the server reads. `said` is their JSON.
    """
    given = from_json(said)
    names = set(task.input.parameter_names())
    if not takes_texts_alone(task.input) or not names - SERVER_PARAMETERS >= given.keys():
        return None
    (spec,) = task.input.TENSORS
    try:
        whole = task.input.validated({**given, spec.field: [""]}).to_inference_request()
    except InvalidRequest:
        return None
    parameters = server_parameters.kept({**given, **whole.parameters})
    header: dict[str, Any] = {"parameters": parameters} if parameters else {}
    header["inputs"] = [
        {
            "name": spec.name,
            "shape": ["ROWS"],
            "datatype": spec.datatype.value,
            "parameters": {"binary_data_size": "SIZE"},
        }
    ]
    text = to_json(header).replace(b"%", b"%%")
    for place in (b'"ROWS"', b'"SIZE"'):
        if text.count(place) != 1:
            return None
        text = text.replace(place, b"%d")
    return _Form(spec.name, text, parameters)
