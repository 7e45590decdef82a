"""The real `openai` client against every path of ours that it calls."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from wherry import __version__
from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.tasks.audio.automatic_speech_recognition import (
    AutomaticSpeechRecognitionInput,
    AutomaticSpeechRecognitionOutput,
)
from wherry.tasks.text.chat import ChatInput
from wherry.tasks.text.embedding import EmbeddingInput, EmbeddingOutput
from wherry.tasks.text.generation import GenerationOutput
from wherry.tasks.text.text_generation import TextGenerationInput

from ..support import media
from .conftest import Environment

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]

PACKAGE = "openai==3.52.0"
QUESTION = [
    {"role": "system", "content": "Answer in one word."},
    {"role": "user", "content": "What is the capital of France?"},
]
TEXTS = ["a boat on the river", "a wherry at the stairs"]
PROMPTS = ["The boat", "One two"]

Saw = dict[str, Any]
CHECKS: dict[str, Callable[[Any, Client, Path], None]] = {}


def check(call: str) -> Callable[[Any], Any]:
    """Hold what a call saw against what our own client reads."""

    def keep(function: Any) -> Any:
        CHECKS[call] = function
        return function

    return keep


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound, as phones and browsers keep it too, and a picture."""
    folder = tmp_path_factory.mktemp("openai-inputs")
    random = np.random.default_rng(0)
    with wave.open(str(folder / "speech.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes((random.normal(0, 3000, 32_000)).astype("<i2").tobytes())
    noise = random.normal(0, 0.1, 96_000).astype(np.float32)
    (folder / "speech.m4a").write_bytes(media.sound(noise, "ipod", "aac"))
    (folder / "speech.webm").write_bytes(media.sound(noise, "webm", "libopus"))
    pictures = random.integers(0, 255, (20, 48, 64, 3), dtype=np.uint8)
    (folder / "speech.mp4").write_bytes(media.film(pictures, samples=noise))
    Image.fromarray(random.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(folder / "image.png")
    return folder


@pytest.fixture(scope="module")
def seen(
    environment: Environment, drive: Callable[..., list[Saw]], fleet: Stack, folder: Path
) -> dict[str, Saw]:
    lines = drive(environment("openai", PACKAGE), "openai_client.py", fleet.url, folder)
    return {line["call"]: line for line in lines}


def chat(client: Client, **options: Any) -> GenerationOutput:
    given = ChatInput.validated({"messages": [QUESTION], "max_new_tokens": 12, **options})
    output = client.infer("chat", given, 60)
    assert isinstance(output, GenerationOutput)
    return output


@check("models.list")
def _(saw: Any, client: Client, folder: Path) -> None:
    assert {"chat", "embedding", "text-to-image"} <= set(saw)


@check("models.retrieve")
def _(saw: Any, client: Client, folder: Path) -> None:
    assert saw == "embedding"


@check("chat.completions.create")
def _(saw: Any, client: Client, folder: Path) -> None:
    [ours] = chat(client).generations
    assert (saw["texts"], saw["ends"]) == ([ours.text], [ours.finish_reason])
    assert saw["usage"] == {
        "prompt_tokens": ours.prompt_tokens,
        "completion_tokens": ours.completion_tokens,
        "total_tokens": ours.prompt_tokens + ours.completion_tokens,
    }


@check("chat.completions.create, streamed")
def _(saw: Any, client: Client, folder: Path) -> None:
    [ours] = chat(client).generations
    assert (saw["texts"], saw["ends"]) == ([ours.text], [ours.finish_reason])
    assert saw["usage"]["completion_tokens"] == ours.completion_tokens
    assert saw["roles"] == ["assistant"]
    assert saw["parts"] > 3


def _drawn(client: Client) -> list[str]:
    return [
        chat(client, do_sample=True, temperature=1.0, seed=7 + i).generations[0].text
        for i in range(3)
    ]


@check("chat.completions.create, several choices")
def _(saw: Any, client: Client, folder: Path) -> None:
    assert saw["texts"] == _drawn(client)
    assert len(set(saw["texts"])) > 1


@check("chat.completions.create, several choices streamed")
def _(saw: Any, client: Client, folder: Path) -> None:
    assert saw["texts"] == _drawn(client)


@check("chat.completions.create, logprobs")
def _(saw: Any, client: Client, folder: Path) -> None:
    assert "".join(token for token, _ in saw["tokens"]) == saw["text"]
    assert all(-20 < chance <= 0 for _, chance in saw["tokens"])
    assert saw["streamed"] == saw["tokens"]


@check("chat.completions.create, top_logprobs")
def _(saw: Any, client: Client, folder: Path) -> None:
    assert "".join(token for token, _ in saw) == chat(client).generations[0].text
    # The likeliest token was taken, and is the first of the three.
    assert all(len(others) == 3 and others[0] == token for token, others in saw)


@check("chat.completions.create, penalties")
def _(saw: Any, client: Client, folder: Path) -> None:
    ours = chat(client, presence_penalty=1.5, frequency_penalty=0.5)
    assert saw["texts"] == [ours.generations[0].text]


@check("chat.completions.create, logit_bias")
def _(saw: Any, client: Client, folder: Path) -> None:
    # A token that is a hundred likelier than all others is all that is written.
    [text] = saw["texts"]
    assert text == chat(client, logit_bias={"504": 100}).generations[0].text
    assert text != chat(client).generations[0].text


@check("chat.completions.create, min_tokens, ignore_eos")
def _(saw: Any, client: Client, folder: Path) -> None:
    at_least, on = saw
    assert at_least["usage"]["completion_tokens"] >= 9
    assert (on["usage"]["completion_tokens"], on["ends"]) == (12, ["length"])


@check("chat.completions.create, top_p of 0, nulls")
def _(saw: Any, client: Client, folder: Path) -> None:
    assert saw["texts"] == [chat(client).generations[0].text]


@check("chat.completions.create, system_fingerprint")
def _(saw: Any, client: Client, folder: Path) -> None:
    assert len(set(saw)) == 1
    assert __version__ in saw[0]


@check("chat.completions.create, stop")
def _(saw: Any, client: Client, folder: Path) -> None:
    assert saw["texts"] == [chat(client, stop=["is"]).generations[0].text]


@check("chat.completions.create, an image")
def _(saw: Any, client: Client, folder: Path) -> None:
    assert isinstance(saw, str)
    assert saw


@check("chat.completions.create, async")
def _(saw: Any, client: Client, folder: Path) -> None:
    assert saw == [chat(client).generations[0].text] * 4


def _completions(client: Client) -> GenerationOutput:
    given = TextGenerationInput(texts=PROMPTS, max_new_tokens=6)
    output = client.infer("text-generation", given, 60)
    assert isinstance(output, GenerationOutput)
    return output


@check("completions.create")
def _(saw: Any, client: Client, folder: Path) -> None:
    ours = _completions(client).generations
    assert saw["texts"] == [generation.text for generation in ours]
    assert saw["indices"] == [0, 1]
    assert saw["usage"]["prompt_tokens"] == sum(generation.prompt_tokens for generation in ours)


@check("completions.create, echo")
def _(saw: Any, client: Client, folder: Path) -> None:
    ours = _completions(client).generations
    assert saw["texts"] == [p + g.text for p, g in zip(PROMPTS, ours, strict=True)]


def _lists(choice: Any) -> list[list[Any]]:
    logprobs = choice["logprobs"]
    names = ("tokens", "token_logprobs", "top_logprobs", "text_offset")
    assert len({len(logprobs[name]) for name in names}) == 1
    return [logprobs[name] for name in names]


@check("completions.create, echo and logprobs")
def _(saw: Any, client: Client, folder: Path) -> None:
    given = TextGenerationInput(texts=PROMPTS, max_new_tokens=0, logprobs=2, prompt_logprobs=True)
    output = client.infer("text-generation", given, 60)
    assert isinstance(output, GenerationOutput)
    for prompt, choice, ours in zip(PROMPTS, saw, output.generations, strict=True):
        tokens, logprobs, top, offsets = _lists(choice)
        assert ("".join(tokens), choice["text"]) == (prompt, prompt)
        # Beside other rows of a batch the last digits are others.
        assert logprobs == pytest.approx([token.logprob for token in ours.tokens or ()], abs=1e-3)
        assert top[0] is None
        assert all(len(found) in (2, 3) for found in top[1:])
        assert offsets[:2] == [0, len(tokens[0])]


@check("completions.create, token numbers")
def _(saw: Any, client: Client, folder: Path) -> None:
    assert [len(_lists(choice)[0]) for choice in saw] == [2, 1]
    assert all(choice["text"] == "".join(_lists(choice)[0]) for choice in saw)


@check("completions.create, streamed")
def _(saw: Any, client: Client, folder: Path) -> None:
    assert saw == [generation.text for generation in _completions(client).generations]


def _vectors(client: Client) -> np.ndarray[Any, Any]:
    output = client.infer("embedding", EmbeddingInput(texts=TEXTS), 60)
    assert isinstance(output, EmbeddingOutput)
    return np.array(output.embeddings)


@check("embeddings.create, base64")
@check("embeddings.create, float")
def _(saw: Any, client: Client, folder: Path) -> None:
    assert np.array(saw) == pytest.approx(_vectors(client), abs=1e-6)


@check("embeddings.create, dimensions")
def _(saw: Any, client: Client, folder: Path) -> None:
    cut = _vectors(client)[:, :8]
    assert np.array(saw) == pytest.approx(cut / np.linalg.norm(cut, axis=1, keepdims=True))


def _spoken(
    client: Client, folder: Path, name: str = "speech.wav", *, times: bool = True
) -> AutomaticSpeechRecognitionOutput:
    given = AutomaticSpeechRecognitionInput(
        audio=[(folder / name).read_bytes()], return_timestamps=times
    )
    output = client.infer("automatic-speech-recognition", given, 60)
    assert isinstance(output, AutomaticSpeechRecognitionOutput)
    return output


@check("audio.transcriptions.create")
def _(saw: Any, client: Client, folder: Path) -> None:
    assert isinstance(saw["text"], str)


def _heard(name: str) -> Callable[[Any, Client, Path], None]:
    def of(saw: Any, client: Client, folder: Path) -> None:
        assert saw["text"] == _spoken(client, folder, name, times=False).texts[0]

    return of


for kind in ("M4A", "MP4", "WebM"):
    check(f"audio.transcriptions.create, {kind}")(_heard(f"speech.{kind.lower()}"))


@check("audio.transcriptions.create, text")
def _(saw: Any, client: Client, folder: Path) -> None:
    assert isinstance(saw, str)


@check("audio.transcriptions.create, verbose_json")
def _(saw: Any, client: Client, folder: Path) -> None:
    ours = _spoken(client, folder)
    assert saw["text"] == ours.texts[0]
    spans = [(chunk.start, chunk.end, chunk.text) for chunk in ours.chunks[0] or []]
    assert [(s["start"], s["end"], s["text"]) for s in saw["segments"]] == spans


@check("audio.transcriptions.create, srt")
def _(saw: Any, client: Client, folder: Path) -> None:
    assert saw.count(" --> ") == len(_spoken(client, folder).chunks[0] or [])


@check("audio.transcriptions.create, vtt")
def _(saw: Any, client: Client, folder: Path) -> None:
    assert saw.startswith("WEBVTT\n")
    assert saw.count(" --> ") == len(_spoken(client, folder).chunks[0] or [])


@check("audio.speech.create")
def _(saw: Any, client: Client, folder: Path) -> None:
    assert saw[0] > 1000
    assert saw[1:] == [b"RIFF".hex(), "audio/wav"]


@check("audio.speech.create, pcm")
def _(saw: Any, client: Client, folder: Path) -> None:
    assert saw[0] > 1000
    assert saw[1] != b"RIFF".hex()


def _begins_with(*starts: bytes) -> Callable[[Any, Client, Path], None]:
    def of(saw: Any, client: Client, folder: Path) -> None:
        assert saw[0] > 500
        assert saw[1].startswith(tuple(start.hex() for start in starts))

    return of


check("audio.speech.create, mp3")(_begins_with(b"ID3", b"\xff\xfb", b"\xff\xf3"))
check("audio.speech.create, opus")(_begins_with(b"OggS"))
check("audio.speech.create, aac")(_begins_with(b"\xff\xf1", b"\xff\xf9"))  # ADTS
check("audio.speech.create, flac")(_begins_with(b"fLaC"))


@check("images.generate")
def _(saw: Any, client: Client, folder: Path) -> None:
    assert saw == [b"\x89PNG\r\n\x1a\n".hex()] * 2


@check("errors: an unknown model")
def _(saw: Any, client: Client, folder: Path) -> None:
    assert saw["status"] == 404
    assert saw["body"]["code"] == "model_not_found"


@check("errors: a bad value")
def _(saw: Any, client: Client, folder: Path) -> None:
    assert saw["body"]["param"] == "top_p"
    assert saw["body"]["type"] == "invalid_request_error"


@check("errors: what is not supported")
def _(saw: Any, client: Client, folder: Path) -> None:
    assert saw["body"]["param"] == "tools"


@check("errors: token numbers to embed")
def _(saw: Any, client: Client, folder: Path) -> None:
    assert saw["body"]["param"] == "input"
    assert "check_embedding_ctx_length" in saw["body"]["message"]


@check("errors: an unknown path")
def _(saw: Any, client: Client, folder: Path) -> None:
    assert saw["status"] == 404
    assert saw["body"]["type"] == "invalid_request_error"


@check("errors: another task's model")
def _(saw: Any, client: Client, folder: Path) -> None:
    message = saw["body"]["message"]
    assert "model: 'chat' does chat; this path is for embedding and multimodal-embedding" in message


@pytest.mark.parametrize(
    "call", [pytest.param(c, marks=pytest.mark.call(PACKAGE, c)) for c in sorted(CHECKS)]
)
def test_the_call_works(call: str, seen: dict[str, Saw], client: Client, folder: Path) -> None:
    assert not seen[call]["failed"]
    CHECKS[call](seen[call]["saw"], client, folder)


def test_every_call_is_checked(seen: dict[str, Saw]) -> None:
    assert set(seen) == set(CHECKS)
