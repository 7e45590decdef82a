"""Audio language models against transformers' documented call, row by row."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers as hf
from numpy.typing import NDArray

from wherry.protocol.errors import RowError
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.multimodal.audio_text_to_text import AudioTextToTextInput, AudioTextToTextOutput

from ....support import sounds

Models = Callable[[str], Path]
Sound = NDArray[np.float32]

TASK = "audio-text-to-text"
FLAMINGO = f"{TASK}-flamingo"
TOKENS = 8
#: A sound of each length, and a text without one; those over three seconds are two windows.
ROWS: list[tuple[Sound | None, str]] = [
    (sounds.tone(1, 440), "what is it"),
    (sounds.tone(0.3, 200), "a cat and a dog beside the red car"),
    (None, "hello"),
    (sounds.tone(2.5, 1000), "is it red"),
]


def row(sound: Sound | None, text: str) -> AudioTextToTextInput:
    data = b"" if sound is None else sound.tobytes()
    return AudioTextToTextInput(
        audio=[data], sample_rate=sounds.RATE, texts=[text], max_new_tokens=TOKENS
    )


def answers(task: LocalTask, rows: list[tuple[Sound | None, str]]) -> list[str]:
    found = task.backend.run([row(*one) for one in rows])
    assert all(isinstance(one, AudioTextToTextOutput) for one in found), found
    return [one.texts[0] for one in found]  # type: ignore[union-attr] # outputs


@pytest.mark.parametrize("name", [TASK, FLAMINGO, f"{TASK}-music-flamingo"])
def test_a_sound_is_answered_as_the_model_documents(name: str, tiny_model: Models) -> None:
    folder = str(tiny_model(name))
    processor: Any = hf.AutoProcessor.from_pretrained(folder)
    rows = [*ROWS, (sounds.tone(4, 300), "is it red")] if name != TASK else ROWS
    with create_task("transformers", TASK, folder) as task:
        together = answers(task, rows)
        assert [answers(task, [one])[0] for one in rows] == together
        model: Any = task.backend.model  # type: ignore[attr-defined] # a transformers one
        for (sound, text), said in zip(rows, together, strict=True):
            content: list[dict[str, Any]] = [{"type": "text", "text": text}]
            if sound is not None:
                content.insert(name != TASK, {"type": "audio", "audio": sound})
            inputs = processor.apply_chat_template(
                [{"role": "user", "content": content}],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
            )
            made = model.generate(**inputs, max_new_tokens=TOKENS, do_sample=False)
            written = made[:, inputs["input_ids"].shape[1] :]
            assert said == processor.batch_decode(written, skip_special_tokens=True)[0].strip()
        assert len({*together}) == len(rows)
        # What is heard tells.
        assert len({*answers(task, [(sound, "hello") for sound, _ in rows])}) > 1


@pytest.mark.parametrize(("name", "seconds"), [(TASK, 3), (FLAMINGO, 6)])
def test_a_sound_is_never_cut_in_silence(name: str, seconds: int, tiny_model: Models) -> None:
    with create_task("transformers", TASK, str(tiny_model(name))) as task:
        long, short, fine = task.backend.run(
            [row(sounds.tone(s, 440), "hello") for s in (seconds + 0.1, 1 / 16_000, 0.5)]
        )
    assert str(long) == f"this model hears {seconds} seconds at most"
    assert isinstance(short, RowError)
    assert "too short" in str(short)
    assert isinstance(fine, AudioTextToTextOutput)


def test_a_mark_of_a_sound_in_the_text_is_no_sound(tiny_model: Models) -> None:
    with create_task("transformers", TASK, str(tiny_model(TASK))) as task:
        sound = sounds.tone(0.5, 440)
        assert answers(task, [(sound, "hel<|AUDIO|>lo")]) == answers(task, [(sound, "hello")])


def test_a_model_without_a_chat_template_is_refused(tiny_model: Models, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(tiny_model(FLAMINGO), bare)
    (bare / "chat_template.jinja").unlink()
    with pytest.raises(ModelRefused, match="has no chat template"):
        create_task("transformers", TASK, str(bare))


def test_another_kind_is_refused_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "whisper"}')
    with pytest.raises(ModelRefused, match="type whisper does not do this task; it takes audiof"):
        create_task("transformers", TASK, str(tmp_path))
