"""Requests in their plainest form, which most have, read without a validator.

Pydantic and what it calls take longer over a short request than all the rest of its reading. What
is odd in any way is left to it: it knows which field is at fault, and says so.
"""

from __future__ import annotations

from typing import Any

from .datatypes import Datatype
from .v2 import MAX_NAME, InferenceRequest, RequestInput

_DATATYPES = {each.value: each for each in Datatype}

_MAX_AXES, _MAX_DIMENSION = 32, 2**63


def plain_request(document: dict[str, Any]) -> InferenceRequest | None:
    """What `InferenceRequest.parse` makes of parsed JSON; None for what it must look at itself."""
    given, parameters, name = document.get("inputs"), document.get("parameters"), document.get("id")
    if type(given) is not list or not given or document.get("outputs") is not None:
        return None
    if parameters is None:
        parameters = {}
    if type(parameters) is not dict or not (name is None or type(name) is str):
        return None
    inputs = [_plain_input(each) for each in given]
    if None in inputs:
        return None
    return InferenceRequest.made(id=name, parameters=parameters, inputs=inputs, outputs=None)


def _plain_input(given: object) -> RequestInput | None:
    if type(given) is not dict:
        return None
    name, shape, parameters = given.get("name"), given.get("shape"), given.get("parameters")
    data, datatype = given.get("data"), given.get("datatype")
    if type(name) is not str or not 0 < len(name) <= MAX_NAME or type(shape) is not list:
        return None
    if len(shape) > _MAX_AXES or not all(type(d) is int and 0 <= d < _MAX_DIMENSION for d in shape):
        return None
    if type(datatype) is not str or (known := _DATATYPES.get(datatype)) is None:
        return None
    if parameters is None:
        parameters = {}
    if type(parameters) is not dict or not isinstance(data, (list, bytes, memoryview)):
        return None
    return RequestInput.made(
        name=name, shape=shape, datatype=known, parameters=parameters, data=data
    )
