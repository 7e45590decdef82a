"""OpenAI's API, as vLLM, TGI, llama.cpp, Ollama, hosted servers and Wherry speak it."""

from __future__ import annotations

import base64
import json
import math
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic_core import to_json

from .....protocol.errors import RowError
from ....audio.automatic_speech_recognition import (
    AutomaticSpeechRecognitionInput,
    AutomaticSpeechRecognitionOutput,
    SpeechChunk,
)
from ....base import Task, TaskInput, TaskOutput
from ....multimodal.image_text_to_text import ImageTextToTextInput, ImageTextToTextOutput
from ....text.chat import ChatInput
from ....text.embedding import EmbeddingInput, EmbeddingOutput
from ....text.generation import Generation, GenerationOutput
from ....text.text_generation import TextGenerationInput
from ..faults import AwayError, BrokenError
from ..files import image_type, sound_file
from ..http import Http
from .base import Hear, Protocol, RemoteModel, Told, in_parts
from .openai_forms import CUT_BEFORE_ITS_CALL, check_calls, check_form
from .openai_texts import Deltas, calls_of, counted, read_choice, sampling, tools
from .openai_tokens import tokens_told
from .streams import events

#: Texts of one request for embeddings, where nobody says.
_TEXTS = 32

#: Why a text may end without a word about it.
_ENDS = ("stop", "length", "eos_token", "stop_sequence", "end_turn", "tool_calls", "function_call")


class OpenAI(Protocol):
    """A text a request; of texts to embed as many as one may hold."""

    def __init__(self, task: Task, wanted: RemoteModel, http: Http) -> None:
        if task.name == "embedding":
            self.rows_per_request = _TEXTS
        super().__init__(task, wanted, http)
        self._asks: Mapping[type[TaskInput], Callable[..., Any]] = {
            ChatInput: self._chat,
            TextGenerationInput: self._completion,
            ImageTextToTextInput: self._about_image,
            AutomaticSpeechRecognitionInput: self._transcription,
        }

    async def look(self) -> None:
        """Ask which models there are. The answer does not matter: not all tell the same, and some
        have no such list.
        """
        try:
            await self.http.get("/models")
        except AwayError as error:
            if error.status not in (404, 405):
                raise

    def units(self, rows: Sequence[TaskInput], heard: Sequence[bool]) -> list[list[int]]:
        """Texts to embed together, all else alone."""
        if self.task.name != "embedding":
            return super().units(rows, heard)
        return in_parts(range(len(rows)), self.rows_per_request)

    async def ask(self, rows: Sequence[TaskInput], hear: Hear | None) -> Told:
        """As the base says."""
        if isinstance(rows[0], EmbeddingInput):
            return await self._embeddings([r for r in rows if isinstance(r, EmbeddingInput)])
        [row] = rows
        told: Told = await self._asks[type(row)](row, hear)
        return told

    async def _post(self, path: str, fields: Mapping[str, Any]) -> Any:
        reply = await self.http.post(path, self._body(fields), _JSON)
        return reply.json()

    def _body(self, fields: Mapping[str, Any]) -> bytes:
        """What is sent, under the names that the server has for it."""
        given = {name: value for name, value in fields.items() if value is not None}
        named = {self.wanted.names.get(name, name): value for name, value in given.items()}
        named.pop("", None)
        return to_json({"model": self.wanted.model, **named, **self.wanted.extra})

    async def _chat(self, row: ChatInput, hear: Hear | None) -> Told:
        fields = {"messages": row.messages[0], **sampling(row), **tools(row)}
        if row.logprobs is not None:
            fields |= {"logprobs": True, "top_logprobs": row.logprobs}
        return await self._written(row, "/chat/completions", fields, hear)

    async def _completion(self, row: TextGenerationInput, hear: Hear | None) -> Told:
        if row.prompt_logprobs:
            raise RowError("prompt_logprobs: an OpenAI endpoint does not tell the prompt's tokens")
        prompt = row.token_ids[0] if row.token_ids else row.texts[0]
        fields = {"prompt": prompt, "logprobs": row.logprobs, **sampling(row)}
        told = await self._written(row, "/completions", fields, hear)
        if not row.return_full_text:
            return told
        return told._replace(rows=[_with_prompt(row.texts[0], answer) for answer in told.rows])

    async def _written(
        self, row: TaskInput, path: str, fields: dict[str, Any], hear: Hear | None
    ) -> Told:
        if hear is None:
            return self._generation(row, await self._post(path, fields))
        return self._generation(row, await self._streamed(path, fields, hear))

    async def _streamed(self, path: str, fields: dict[str, Any], hear: Hear) -> Any:
        """Tell what comes, and answer as one that came whole."""
        streamed = {**fields, "stream": True, "stream_options": {"include_usage": True}}
        deltas = Deltas()
        async with self.http.open("POST", path, self._body(streamed), _JSON) as response:
            async for event in events(response.aiter_bytes(), ends_with_done=True):
                for token in deltas.add(event):
                    hear(token)
        return deltas.whole()

    def _generation(self, row: TaskInput, document: Any) -> Told:
        output = self.task.output
        assert issubclass(output, GenerationOutput)
        text, why, choice, usage = read_choice(document)
        took = counted(usage, "prompt"), counted(usage, "completion")
        tokens, cut = tokens_told(choice.get("logprobs")), why == "length"
        certain = isinstance(row, ChatInput) and row.calls_are_certain
        broken_off = cut or why not in _ENDS
        try:
            calls = calls_of(choice)
            check_calls(row, calls, cut=broken_off)
            if not calls and not certain:
                check_form(row, text, cut=broken_off)
        except BrokenError as error:
            raise BrokenError(str(error), *took) from None
        generation = Generation(
            text=text,
            finish_reason="length" if cut else "tool_calls" if calls else "stop",
            prompt_tokens=took[0],
            completion_tokens=took[1],
            tokens=tuple(tokens) if any(token.logprob is not None for token in tokens) else None,
            tool_calls=calls or None,
        )
        answer: TaskOutput = output(generations=[generation])
        if why not in _ENDS:
            answer = answer.warned(f"the endpoint ended the text for {why[:40]!r}")
        if certain and cut and not calls:
            answer = answer.warned(CUT_BEFORE_ITS_CALL)
        return Told([answer], *took)

    async def _about_image(self, row: ImageTextToTextInput, hear: Hear | None) -> Told:
        del hear  # no task of pictures is streamed
        _refuse(row, "background", "an OpenAI endpoint lays pictures on what it likes")
        image = row.images[0]
        url = f"data:{image_type(image)};base64,{base64.b64encode(image).decode()}"
        parts = [
            {"type": "image_url", "image_url": {"url": url}},
            {"type": "text", "text": row.texts[0]},
        ]
        fields = {"messages": [{"role": "user", "content": parts}], **sampling(row)}
        text, why, _, usage = read_choice(await self._post("/chat/completions", fields))
        answer: TaskOutput = ImageTextToTextOutput(texts=[text])
        if why == "length":
            answer = answer.warned("the text was cut at max_new_tokens")
        return Told([answer], counted(usage, "prompt"), counted(usage, "completion"))

    async def _embeddings(self, rows: Sequence[EmbeddingInput]) -> Told:
        for row in rows:
            _refuse(row, "truncation_direction", "an OpenAI endpoint cuts as it likes")
            _refuse(row, "prompt_name", "an OpenAI endpoint has no prompts; put it before the text")
        document = await self._post(
            "/embeddings", {"input": [row.texts[0] for row in rows], "encoding_format": "float"}
        )
        try:
            found = sorted(document["data"], key=lambda entry: entry.get("index", 0))
            vectors = [[float(number) for number in entry["embedding"]] for entry in found]
        except (KeyError, TypeError, ValueError):
            raise BrokenError("the endpoint's answer holds no embeddings") from None
        if len(vectors) != len(rows):
            raise BrokenError(f"the endpoint answered {len(vectors)} vectors for {len(rows)} texts")
        answers = [
            EmbeddingOutput(embeddings=[_unit(vector) if row.normalize else vector])
            for row, vector in zip(rows, vectors, strict=True)
        ]
        return Told(answers, counted(document.get("usage"), "prompt"))

    async def _transcription(self, row: AutomaticSpeechRecognitionInput, hear: Hear | None) -> Told:
        del hear
        name, sound = sound_file(row.audio[0], row.sample_rate)
        fields = {
            "model": self.wanted.model,
            "response_format": "verbose_json" if row.return_timestamps else "json",
            "language": row.language,
            **self.wanted.extra,
        }
        body, kind = _form(fields, name, sound)
        reply = await self.http.post("/audio/transcriptions", body, {"Content-Type": kind})
        return Told([_transcript(reply.json(), row)])


_JSON = {"Content-Type": "application/json"}


def _refuse(row: TaskInput, field: str, why: str) -> None:
    """Raise RowError for a field that says something which the server would not hear."""
    if getattr(row, field) != type(row).model_fields[field].get_default():
        raise RowError(f"{field}: {why}")


def _with_prompt(prompt: str, answer: Any) -> Any:
    [generation] = answer.generations
    return answer.model_copy(
        update={"generations": [generation.model_copy(update={"text": prompt + generation.text})]}
    )


def _unit(vector: Sequence[float]) -> list[float]:
    length = math.sqrt(sum(number * number for number in vector)) or 1.0
    return [number / length for number in vector]


def _form(fields: Mapping[str, Any], name: str, file: bytes) -> tuple[bytes, str]:
    """A form with one file, and its content type."""
    bound = secrets.token_hex(16)
    parts = []
    for field, value in fields.items():
        if value is not None:
            text = value if isinstance(value, str) else json.dumps(value)
            head = f'--{bound}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n'
            parts += [head.encode(), text.encode(), b"\r\n"]
    head = (
        f'--{bound}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    parts += [head.encode(), file, f"\r\n--{bound}--\r\n".encode()]
    return b"".join(parts), f"multipart/form-data; boundary={bound}"


def _transcript(document: Any, row: AutomaticSpeechRecognitionInput) -> TaskOutput:
    if not isinstance(document, Mapping) or not isinstance(document.get("text"), str):
        raise BrokenError("the endpoint's answer holds no text")
    if not row.return_timestamps:
        return AutomaticSpeechRecognitionOutput(texts=[document["text"]], chunks=[None])
    try:
        chunks = [
            SpeechChunk(text=str(part["text"]), start=float(part["start"]), end=float(part["end"]))
            for part in document.get("segments") or ()
        ]
        duration = document.get("duration")
        return AutomaticSpeechRecognitionOutput(
            texts=[document["text"]],
            chunks=[chunks],
            durations=[None if duration is None else float(duration)],
            languages=[document.get("language")],
        )
    except (KeyError, TypeError, ValueError):
        raise BrokenError("the endpoint's answer holds no segments") from None
