"""A backend that needs no model: answers follow from the bytes of each row.

For tests, first runs, and measuring everything but a model. It can be slow, and it can fail, on
request.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ...protocol.errors import OutOfMemory, RowError
from ..base import Task, TaskInput, TaskOutput
from ..boxes import BoundingBox, DetectedObject
from ..labels import ClassificationResult
from ..multimodal.multimodal_embedding import MultimodalEmbeddingOutput
from ..text.embedding import EmbeddingOutput
from ..text.generation import Generation, GenerationOutput
from ..text.tokens import Candidate, Listener, Token
from ..vision.image_classification import ImageClassificationOutput
from ..vision.object_detection import ObjectDetectionOutput
from .base import StreamingBackend
from .device import Device
from .facts import ModelFacts

_LABELS = ("anchor", "barge", "canoe", "dinghy", "ferry", "gig", "hull", "skiff", "tug", "wherry")

#: How a shell reports a process that the kernel killed (128 + SIGKILL).
_KILLED = 137


class Stub(StreamingBackend):
    """Answers from a hash of the row, or for most tasks with the task's golden example.

    `delay_s`, `delay_per_row_s` and, for texts that are listened to, `delay_per_token_s` simulate a
    model's time; a forward waits as long as there is a file `hold`. `words` makes generated texts
    so long. With `decode` pictures and sounds are decoded first, as a usual model of the task does
    it: with `delay_per_row_s` a simulated device, for all that a worker does beside its model.

    Rows that hold `reject_on` are refused alone, `raise_on` makes the whole forward raise,
    `crash_on` kills the process. `exit_on` ends it as the kernel does when memory runs out: once a
    row, where there is a folder `exit_once` to keep that in mind. A forward of over `fits_rows`
    rows runs out of the device's memory. Loaded, it `weighs` so many bytes.
    """

    rows_have_own = True

    def __init__(
        self,
        task: Task,
        source: str | None,
        *,
        device: Device,
        delay_s: float = 0.0,
        delay_per_row_s: float = 0.0,
        delay_per_token_s: float = 0.0,
        hold: str = "",
        words: int = 0,
        decode: bool = False,
        reject_on: str = "",
        raise_on: str = "",
        crash_on: str = "",
        exit_on: str = "",
        exit_once: str = "",
        fits_rows: int = 0,
        weighs: int = 0,
    ) -> None:
        super().__init__(task, source, device=device)
        self._delay_s, self._delay_per_row_s = delay_s, delay_per_row_s
        self._delay_per_token_s, self._words = delay_per_token_s, words
        self._decodes = decode
        self._hold = Path(hold) if hold else None
        self._reject_on = reject_on.encode()
        self._raise_on = raise_on.encode()
        self._crash_on = crash_on.encode()
        self._exit_on = exit_on.encode()
        self._exit_once = Path(exit_once) if exit_once else None
        self._fits_rows = fits_rows
        self._weighs, self._weights = weighs, b""

    def load(self) -> None:
        """Take up memory, if a model would."""
        self._weights = b"w" * self._weighs

    def facts(self) -> ModelFacts:
        """What it holds."""
        return ModelFacts(bytes=len(self._weights), runtime="stub")

    def close(self) -> None:
        """Give it back."""
        self._weights = b""

    def stream(
        self, batch: Sequence[TaskInput], listeners: Sequence[Listener | None]
    ) -> list[TaskOutput | RowError]:
        """Answer each row from its bytes; a text is told word by word."""
        if not self._decodes:
            return self._answers(batch, listeners)
        from .stub_decoding import decoded_files  # numpy and Pillow, for nobody else

        decoded = decoded_files(self.task, batch)
        heard = [listeners[place] for place in decoded.places]
        return decoded.answers(self._answers(decoded.inputs, heard) if decoded.inputs else [])

    def _answers(
        self, batch: Sequence[TaskInput], listeners: Sequence[Listener | None]
    ) -> list[TaskOutput | RowError]:
        contents = [_content(row) for row in batch]
        with self.device.compute():
            delay_s = self._delay_s + self._delay_per_row_s * len(batch)
            if delay_s:
                time.sleep(delay_s)
            while self._hold and self._hold.exists():
                time.sleep(0.005)
            self._fail(contents)
            answers = [self._answer(*row) for row in zip(batch, contents, strict=True)]
            self._stream_tokens(answers, listeners)
        return answers

    def _fail(self, contents: Sequence[bytes]) -> None:
        """End the process or the forward, if a row asks for it or there are too many."""
        if self._crash_on and any(self._crash_on in content for content in contents):
            ctypes.string_at(0)  # a real crash: no handler of ours gets a say
        if self._exit_on and any(self._exit_on in row and self._is_first(row) for row in contents):
            os._exit(_KILLED)
        if self._fits_rows and len(contents) > self._fits_rows:
            raise OutOfMemory(f"the stub holds {self._fits_rows} rows")
        if self._raise_on and any(self._raise_on in content for content in contents):
            raise RuntimeError("the stub was asked to raise")

    def _is_first(self, content: bytes) -> bool:
        """Whether this row has not ended a process before."""
        if self._exit_once is None:
            return True
        try:
            (self._exit_once / hashlib.sha256(content).hexdigest()).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def _stream_tokens(
        self, answers: Sequence[TaskOutput | RowError], listeners: Sequence[Listener | None]
    ) -> None:
        """Tell the words of all texts in step, as a model would, until nobody listens."""
        words = {
            listener: answer.generations[0].tokens or _tokens(_words(answer.generations[0].text))
            for listener, answer in zip(listeners, answers, strict=True)
            if listener and isinstance(answer, GenerationOutput)
        }
        for number in range(max(map(len, words.values()), default=0)):
            time.sleep(self._delay_per_token_s)
            for listener in [heard for heard, told in words.items() if number < len(told)]:
                if not listener(words[listener][number]):
                    del words[listener]

    def _answer(self, row: TaskInput, content: bytes) -> TaskOutput | RowError:
        if self._reject_on and self._reject_on in content:
            return RowError("the stub was asked to reject this row")
        digest = hashlib.sha256(content).digest()
        if self._words and issubclass(self.task.output, GenerationOutput):
            written = _write(self.task.output, digest, self._words)
        elif self.task.name in _ANSWERS:
            written = _ANSWERS[self.task.name](row, digest)
        else:
            written = self.task.example.output.rows()[0]
        return _scored(row, written) if isinstance(written, GenerationOutput) else written


def _scored(row: TaskInput, answer: GenerationOutput) -> TaskOutput:
    """A text as its row asks for it: without new tokens, or with logprobs made up from places."""
    [generation] = answer.generations
    if getattr(row, "max_new_tokens", 1) == 0:
        none = {"text": "", "finish_reason": "length", "completion_tokens": 0}
        generation = generation.model_copy(update=none)
    top: int | None = getattr(row, "logprobs", None)
    if top is not None:
        tokens = _tokens(_words(generation.text), top)
        if getattr(row, "prompt_logprobs", False):
            prompt = _tokens(_prompt(row), top, prompt=True)
            tokens = (prompt[0]._replace(logprob=None, top=()), *prompt[1:], *tokens)
            generation = generation.model_copy(update={"prompt_tokens": len(prompt)})
        generation = generation.model_copy(update={"tokens": tokens})
    return answer.model_copy(update={"generations": [generation]})


def _prompt(row: Any) -> list[str]:
    """The words of a prompt; of one in numbers, those."""
    return [f" {token}" for token in (row.token_ids or [[]])[0]] or _words(row.texts[0]) or [""]


def _words(text: str) -> list[str]:
    """A text in pieces that begin with their space, as tokens do."""
    return re.findall(r"\s*\S+|\s+$", text)


def _tokens(words: Sequence[str], top: int = 0, *, prompt: bool = False) -> tuple[Token, ...]:
    """Words as tokens, each less likely than the one before; with the labels as candidates."""
    return tuple(
        Token(
            number,
            word,
            logprob=-number / 8,
            top=tuple(
                Candidate(1000 + place, f" {label}", -float(place + 1))
                for place, label in enumerate(_LABELS[:top])
            ),
            prompt=prompt,
        )
        for number, word in enumerate(words)
    )


def _content(row: TaskInput) -> bytes:
    parts = (values[0] for field in row.ROWS if (values := getattr(row, field)))
    return b"\0".join(part if isinstance(part, bytes) else str(part).encode() for part in parts)


def _classify(row: TaskInput, digest: bytes) -> TaskOutput:
    top_k: int = getattr(row, "top_k", 1)
    weights = sorted(zip(digest, _LABELS, strict=False), reverse=True)
    total = sum(weight for weight, _ in weights) or 1
    return ImageClassificationOutput(
        results=[
            [
                ClassificationResult(label=label, score=weight / total)
                for weight, label in weights[:top_k]
            ]
        ]
    )


def _detect(row: TaskInput, digest: bytes) -> TaskOutput:
    threshold: float = getattr(row, "threshold", 0.0)
    found = [
        DetectedObject(
            label=_LABELS[digest[i] % len(_LABELS)],
            score=digest[i + 1] / 255,
            box=BoundingBox(
                xmin=digest[i + 2],
                ymin=digest[i + 3],
                xmax=digest[i + 2] + digest[i + 4],
                ymax=digest[i + 3] + digest[i + 5],
            ),
        )
        for i in range(0, 6 * (digest[31] % 5), 6)
    ]
    found.sort(key=lambda item: -item.score)
    return ObjectDetectionOutput(detections=[[o for o in found if o.score > threshold]])


def _embed(
    row: TaskInput, digest: bytes, output: type[EmbeddingOutput] = EmbeddingOutput
) -> TaskOutput:
    vector = [byte - 127.5 for byte in digest[:8]]
    if getattr(row, "normalize", True):
        length = sum(value * value for value in vector) ** 0.5
        vector = [value / length for value in vector]
    return output.made(embeddings=[vector])


def _write(output: type[GenerationOutput], digest: bytes, words: int) -> TaskOutput:
    text = " ".join(_LABELS[digest[i % 32] % len(_LABELS)] for i in range(words))
    generation = Generation(
        text=text, finish_reason="length", prompt_tokens=1, completion_tokens=words
    )
    return output(generations=[generation])


_ANSWERS: dict[str, Callable[[TaskInput, bytes], TaskOutput]] = {
    "embedding": _embed,
    "image-classification": _classify,
    "multimodal-embedding": partial(_embed, output=MultimodalEmbeddingOutput),
    "object-detection": _detect,
}
