"""Forms of embedding: an entry has any number of texts, of images, or of both."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .....protocol.errors import InvalidRequest
from .....tasks.text.embedding import EmbeddingOutput
from .form import EntryRequest, Form, Json, Style, TriggerEntry

#: `input-type` would choose a prompt, which models here have none of.
_IGNORED = ("format", "dimensions", "input_type", "truncate")

#: The one value served of parameters that have several.
_SERVED = {"format": "float"}

#: What is done with texts that are too long for the model.
_CUTS: dict[str, Json] = {
    "none": {"truncate": False},
    "end": {},
    "start": {"truncation_direction": "left"},
}


def _read_texts(entry: TriggerEntry) -> EntryRequest:
    rows = []
    for where, part in entry.objects("embeddings"):
        if part.get("type", "text") != "text" or not isinstance(part.get("text"), str):
            raise entry.refuse(where, "the model embeds texts: {type: text, text: ...}")
        rows.append(entry.row(texts=[part["text"]], **_fields(entry), **_cut(entry)))
    return EntryRequest(rows, _dimensions(entry))


def _read_either(entry: TriggerEntry) -> EntryRequest:
    cut, rows = _cut(entry), []
    if "truncation_direction" in cut:
        raise entry.refuse("parameter.truncate", "use 'None' or 'End': the model reads the start")
    for where, part in entry.objects("embeddings"):
        fields = {**_fields(entry), **cut}
        if part.get("type", "text" if "text" in part else "") == "text":
            if not isinstance(part.get("text"), str):
                raise entry.refuse(where, "expected {type: text, text: ...}")
            rows.append(entry.row(texts=[part["text"]], **fields))
        else:
            rows.append(entry.row(images=[entry.image(part, where)], **fields))
    return EntryRequest(rows, _dimensions(entry))


def _read_images(entry: TriggerEntry) -> EntryRequest:
    rows = [
        entry.row(images=[entry.image(part, where)], **_fields(entry))
        for where, part in entry.objects("embeddings")
    ]
    return EntryRequest(rows, _dimensions(entry))


def _fields(entry: TriggerEntry) -> Json:
    for name, served in _SERVED.items():
        given = entry.parameter.get(name)
        if given is not None and str(given).lower() != served:
            raise entry.refuse(f"parameter.{name}", f"only {served!r} is served")
    return entry.parameters(ignored=_IGNORED)


def _cut(entry: TriggerEntry) -> Json:
    told = entry.parameter.get("truncate", "end")
    if told is None or isinstance(told, bool):  # as others' clients say it
        told = "none" if told is False else "end"
    given = str(told).lower()
    if given not in _CUTS:
        raise entry.refuse("parameter.truncate", "use 'None', 'Start' or 'End'")
    return _CUTS[given]


def _dimensions(entry: TriggerEntry) -> int | None:
    given = entry.parameter.get("dimensions")
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float) or given < 1 or given % 1:
        raise entry.refuse("parameter.dimensions", "expected a whole number over 0")
    return int(min(given, 10**9))


def _write(answers: Sequence[EmbeddingOutput], style: Style) -> Json:
    return {
        "embeddings": [
            {
                "index": index,
                "vector": _shortened(answer.embeddings[0], style.dimensions),
                "created": style.created,
            }
            for index, answer in enumerate(answers)
        ]
    }


def _shortened(vector: list[float], dimensions: int | None) -> list[float]:
    """The first numbers of a vector, scaled to its length before. Raises InvalidRequest."""
    if dimensions is None or dimensions == len(vector):
        return vector
    if dimensions > len(vector):
        raise InvalidRequest(
            f"parameter.dimensions: the model's vectors have {len(vector)}; ask for no more"
        )
    kept = vector[:dimensions]
    length, before = math.hypot(*kept), math.hypot(*vector)
    return [value * before / length for value in kept] if length else kept


EMBEDDING = Form(_read_texts, _write)
IMAGE_EMBEDDING = Form(_read_images, _write)
MULTIMODAL_EMBEDDING = Form(_read_either, _write)
