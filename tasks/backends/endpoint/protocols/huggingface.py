"""Hugging Face's inference form: `{"inputs": ..., "parameters": ...}`, as Inference Endpoints,
Inference Providers and Wherry take it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic_core import to_json

from .....protocol.errors import RowError
from ....audio.automatic_speech_recognition import (
    AutomaticSpeechRecognitionInput,
    AutomaticSpeechRecognitionOutput,
    SpeechChunk,
)
from ....base import TaskInput, TaskOutput
from ....boxes import BoundingBox, BoxesOutput, DetectedObject
from ....labels import ClassificationResult, LabelsOutput
from ....text.embedding import EmbeddingInput, EmbeddingOutput
from ....text.generation import Generation, GenerationInput, GenerationOutput
from ..faults import BrokenError
from ..files import sound_file
from .base import Hear, Protocol, Told

#: Under which name a text comes, by what kind of text it is.
_TEXTS = ("generated_text", "summary_text", "translation_text")

#: Parameters of ours that have another name there, or none.
_OURS = {"return_full_text": "", "sample_rate": "", "truncate": "truncation"}


class HuggingFace(Protocol):
    """A row a request."""

    async def look(self) -> None:
        """Nothing can be asked that every such server answers: rows tell."""

    async def ask(self, rows: Sequence[TaskInput], hear: Hear | None) -> Told:
        """As the base says."""
        del hear
        [row] = rows
        path = f"/models/{self.wanted.model}" if self.wanted.model else ""
        body = to_json({"inputs": _inputs(row), "parameters": self._parameters(row)})
        reply = await self.http.post(path, body, {"Content-Type": "application/json"})
        document = reply.json()
        try:
            return Told([self._read(row, document)])
        except (AttributeError, LookupError, StopIteration, TypeError, ValueError):
            raise BrokenError(f"the endpoint's answer is none of {self.task.name}") from None

    def _parameters(self, row: TaskInput) -> dict[str, Any]:
        """Those that say something other than the task's defaults, and tensors besides."""
        given: dict[str, Any] = {}
        for name, field in type(row).model_fields.items():
            value = getattr(row, name)
            wanted = self.wanted.names.get(name, _OURS.get(name, name))
            if name not in row.ROWS and value != field.get_default() and wanted:
                given[wanted] = value
        return {**given, **self.wanted.extra}

    def _read(self, row: TaskInput, document: Any) -> TaskOutput:
        output = self.task.output
        if isinstance(row, AutomaticSpeechRecognitionInput):
            return _transcript(document, row)
        if isinstance(row, EmbeddingInput):
            return _vector(document)
        readers: list[tuple[type[TaskOutput], Callable[[type[Any], Any], TaskOutput]]] = [
            (LabelsOutput, _labels),
            (BoxesOutput, _boxes),
            (GenerationOutput, _text),
        ]
        for kind, reader in readers:
            if issubclass(output, kind):
                return _cut(reader(output, document), row)
        raise TypeError


def _inputs(row: TaskInput) -> Any:
    """A row's one input; files as base64."""
    given = {field: values[0] for field in row.ROWS if (values := getattr(row, field))}
    if len(given) > 1:
        raise RowError(f"{' and '.join(given)}: a Hugging Face endpoint takes one of them")
    [value] = given.values()
    if not isinstance(value, bytes):
        return value
    if isinstance(row, AutomaticSpeechRecognitionInput) or hasattr(row, "sample_rate"):
        _, value = sound_file(value, getattr(row, "sample_rate", None))
    return base64.b64encode(value).decode()


def _labels(output: type[LabelsOutput], document: Any) -> TaskOutput:
    if isinstance(document, Mapping):  # of zero-shot classification
        pairs = list(zip(document["labels"], document["scores"], strict=True))
    else:
        entries = document[0] if document and isinstance(document[0], list) else document
        pairs = [(entry["label"], entry["score"]) for entry in entries]
    found = [ClassificationResult(label=str(label), score=float(score)) for label, score in pairs]
    return output(results=[sorted(found, key=lambda result: -result.score)])


def _boxes(output: type[BoxesOutput], document: Any) -> TaskOutput:
    found = [
        DetectedObject(
            label=str(entry["label"]),
            score=float(entry["score"]),
            box=BoundingBox(**{side: float(at) for side, at in entry["box"].items()}),
        )
        for entry in document
    ]
    return output(detections=[sorted(found, key=lambda item: -item.score)])


def _text(output: type[GenerationOutput], document: Any) -> TaskOutput:
    entry = document[0] if isinstance(document, list) else document
    text = next(str(entry[name]) for name in _TEXTS if name in entry)
    told = Generation(text=text, finish_reason="stop", prompt_tokens=0, completion_tokens=0)
    return output(generations=[told])


def _vector(document: Any) -> TaskOutput:
    while document and isinstance(document[0], list):
        if len(document) > 1:
            raise RowError("the endpoint answers a vector a token: it embeds no texts")
        document = document[0]
    return EmbeddingOutput(embeddings=[[float(number) for number in document]])


def _transcript(document: Any, row: AutomaticSpeechRecognitionInput) -> TaskOutput:
    chunks = None
    if row.return_timestamps:
        chunks = [
            SpeechChunk(
                text=str(part["text"]),
                start=float(part["timestamp"][0]),
                end=float(part["timestamp"][1]),
            )
            for part in document.get("chunks") or ()
        ]
    return AutomaticSpeechRecognitionOutput(texts=[str(document["text"])], chunks=[chunks])


def _cut(answer: TaskOutput, row: TaskInput) -> TaskOutput:
    """The likeliest labels alone, where the row wants so many: not all servers heed it."""
    top_k = getattr(row, "top_k", None)
    if isinstance(answer, LabelsOutput) and not isinstance(row, GenerationInput) and top_k:
        return answer.model_copy(update={"results": [answer.results[0][:top_k]]})
    return answer
