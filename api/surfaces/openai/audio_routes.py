"""Speech to text, and text to speech."""

from __future__ import annotations

import asyncio
import importlib.util
import io
import re
import wave
from collections.abc import Mapping
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from ....protocol.errors import InvalidRequest
from ....tasks.audio.automatic_speech_recognition import (
    AutomaticSpeechRecognitionInput,
    AutomaticSpeechRecognitionOutput,
    SpeechChunk,
)
from ....tasks.audio.text_to_speech import TextToSpeechInput, TextToSpeechOutput
from ...core.run_and_wait import answer
from ...core.service import Service
from ...core.views import json_response
from ...http.body import parsed, read_body
from ...http.errors import shaped
from ...http.fast_route import FastRoute
from ...http.multipart import read_form
from .requests import OpenAIRequest, error_shape, model_for, read, validated

router = APIRouter(tags=["openai"], route_class=FastRoute)

_NUMBER = re.compile(r"[0-9]{1,9}")

#: Formats of an answer that tell when each part was said.
_TIMED = ("verbose_json", "srt", "vtt")

#: Formats of speech that are written by PyAV.
_MEDIA_TYPES = {
    "aac": "audio/aac",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
}

#: Fields of a form besides its file, and bytes of one, at most.
_MAX_FIELDS, _MAX_FIELD_BYTES = 32, 65_536


class TranscriptionRequest(OpenAIRequest):
    """What to write down, besides the file itself."""

    language: str | None = None
    response_format: Literal["json", "text", "verbose_json", "srt", "vtt"] = "json"
    timestamp_granularities: tuple[Literal["segment", "word"], ...] = ()
    # Hints for OpenAI's own models.
    prompt: Any = None
    temperature: Any = None
    chunking_strategy: Any = None


class SpeechRequest(OpenAIRequest):
    """What to speak. A voice is a number, of models that have several, or `default`."""

    input: str = Field(min_length=1)
    voice: Any = "default"
    speed: float | None = None
    response_format: Literal["wav", "pcm", "mp3", "opus", "aac", "flac"] = "wav"
    instructions: Any = None
    stream_format: Any = None


@router.post("/v1/audio/transcriptions")
@shaped(error_shape)
async def transcriptions(request: Request) -> Response:
    """Write down what is said in a file."""
    service = Service.of(request)
    fields, sound = await _form(request)
    asked = validated(TranscriptionRequest, fields)
    if not sound:
        raise InvalidRequest("file: the sound is missing")
    if "word" in asked.timestamp_granularities:
        raise InvalidRequest("timestamp_granularities: word is not supported; use segment")
    model = model_for(service, asked.model, "automatic-speech-recognition")
    given = AutomaticSpeechRecognitionInput.validated(
        {
            "audio": [sound],
            "language": asked.language,
            "return_timestamps": asked.response_format in _TIMED,
        }
    )
    output = await answer(request, model, given)
    assert isinstance(output, AutomaticSpeechRecognitionOutput)
    return _transcription(asked, output)


def _transcription(
    asked: TranscriptionRequest, output: AutomaticSpeechRecognitionOutput
) -> Response:
    text, chunks = output.texts[0], output.chunks[0] or []
    match asked.response_format:
        case "text":
            return Response(text + "\n", media_type="text/plain")
        case "srt":
            return Response(_srt(chunks), media_type="application/x-subrip")
        case "vtt":
            return Response(_vtt(chunks), media_type="text/vtt")
        case "verbose_json":
            return json_response(_verbose(asked, output, chunks))
        case _:
            return json_response({"text": text})


def _verbose(
    asked: TranscriptionRequest,
    output: AutomaticSpeechRecognitionOutput,
    chunks: list[SpeechChunk],
) -> dict[str, Any]:
    return {
        "task": "transcribe",
        # A model of one language may not know its name.
        "language": output.languages[0] or asked.language or "",
        "duration": output.durations[0] or 0.0,
        "text": output.texts[0],
        "segments": [
            {"id": number, "start": chunk.start, "end": chunk.end, "text": chunk.text}
            for number, chunk in enumerate(chunks)
        ],
    }


def _srt(chunks: list[SpeechChunk]) -> str:
    parts = [
        f"{number}\n{_time(chunk.start, ',')} --> {_time(chunk.end, ',')}\n{chunk.text.strip()}\n"
        for number, chunk in enumerate(chunks, start=1)
    ]
    return "\n".join(parts)


def _vtt(chunks: list[SpeechChunk]) -> str:
    parts = [
        f"{_time(chunk.start, '.')} --> {_time(chunk.end, '.')}\n{chunk.text.strip()}\n"
        for chunk in chunks
    ]
    return "WEBVTT\n\n" + "\n".join(parts)


def _time(seconds: float, point: str) -> str:
    ms = round(seconds * 1000)
    minutes, ms = divmod(ms, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{ms // 1000:02}{point}{ms % 1000:03}"


async def _form(request: Request) -> tuple[dict[str, object], bytes]:
    """A form's fields and its file; b"" where there is none. Raises InvalidRequest."""
    content_type = request.headers.get("content-type", "")

    def parse(body: bytes) -> tuple[dict[str, object], bytes]:
        parts = dict(read_form(body, content_type))
        files = parts.pop("file", [memoryview(b"")])
        if len(files) > 1:
            raise InvalidRequest("file: one at a time")
        return _fields(parts), bytes(files[0])

    limit = Service.of(request).settings.max_body_bytes
    form, _ = await parsed(await read_body(request, limit), parse)
    return form


def _fields(parts: Mapping[str, list[memoryview]]) -> dict[str, object]:
    fields: dict[str, object] = {}
    if sum(map(len, parts.values())) > _MAX_FIELDS:
        raise InvalidRequest(f"the form has over {_MAX_FIELDS} fields")
    for name, values in parts.items():
        if any(len(value) > _MAX_FIELD_BYTES for value in values):
            raise InvalidRequest(f"{name[:80]}: over {_MAX_FIELD_BYTES} bytes")
        texts = [str(value, "utf-8", "replace") for value in values]
        fields[name.removesuffix("[]")] = texts if name.endswith("[]") else texts[-1]
    return fields


@router.post("/v1/audio/speech")
@shaped(error_shape)
async def speech(request: Request) -> Response:
    """Speak a text: a WAV file, its raw samples of 16 bits, or an mp3, opus, aac or flac file."""
    service = Service.of(request)
    asked = await read(request, SpeechRequest)
    model = model_for(service, asked.model, "text-to-speech")
    given = TextToSpeechInput.validated(
        {"texts": [asked.input], "speaker": _speaker(asked.voice), "speed": asked.speed}
    )
    if asked.response_format in _MEDIA_TYPES:
        _check_encoders(asked.response_format)
    output = await answer(request, model, given)
    assert isinstance(output, TextToSpeechOutput)
    if asked.response_format == "wav":
        return Response(output.audio[0], media_type="audio/wav")
    if media_type := _MEDIA_TYPES.get(asked.response_format):
        file = await asyncio.to_thread(_encoded, output.audio[0], asked.response_format)
        return Response(file, media_type=media_type)
    with wave.open(io.BytesIO(output.audio[0])) as sound:
        return Response(sound.readframes(sound.getnframes()), media_type="audio/pcm")


def _check_encoders(name: str) -> None:
    """Raise InvalidRequest where this server has nothing to write the format with."""
    if importlib.util.find_spec("av") is None:
        raise InvalidRequest(
            f"response_format: {name} wants PyAV on the API's machine (pip install 'wherry[media]')"
            "; use wav or pcm"
        )


def _encoded(wav: bytes, name: str) -> bytes:
    from ....tasks.media.sound_formats import encoded  # an extra that most do without

    return encoded(wav, name)


def _speaker(voice: object) -> int | None:
    """A voice by its number; names are those of OpenAI's own voices, which no model here has."""
    return int(voice) if isinstance(voice, str) and _NUMBER.fullmatch(voice) else None
