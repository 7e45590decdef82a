"""MusicGen and its kin: alone, in a batch, and as transformers' own call."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import transformers as hf
from pydantic import ValidationError

from wherry.tasks.audio.text_to_audio import TextToAudioInput, TextToAudioOutput
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.create import LocalTask, create_task

TASK = "text-to-audio"
#: Half a step of 16 bits, and a little.
TOLERANCE = 1 / 32768
TEXTS = ["hello world", "my name is ada and i live in london", "a red car"]
#: What is asked for -> what transformers is told.
CALLS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"max_new_tokens": 12, "seed": 3}, {"max_new_tokens": 12}),
    (
        {"max_new_tokens": 9, "temperature": 0.7, "top_k": 5, "guidance_scale": 1.5},
        {"max_new_tokens": 9, "temperature": 0.7, "top_k": 5, "guidance_scale": 1.5},
    ),
    ({"max_new_tokens": 9, "do_sample": False}, {"max_new_tokens": 9, "do_sample": False}),
    ({"max_new_tokens": 8, "temperature": 0}, {"max_new_tokens": 8, "do_sample": False}),
]


def heard(task: LocalTask, texts: list[str], **how: Any) -> list[Any]:
    output = task.process(TextToAudioInput(texts=texts, **how))
    assert isinstance(output, TextToAudioOutput)
    assert output.sample_rates == [400] * len(texts)
    return [soundfile.read(io.BytesIO(file), dtype="float32")[0] for file in output.audio]


@pytest.mark.parametrize("name", [TASK, f"{TASK}-melody", f"{TASK}-stereo"])
def test_a_text_is_played_as_the_model_documents(
    name: str, tiny_model: Callable[[str], Path]
) -> None:
    folder = str(tiny_model(name))
    tokenizer: Any = hf.AutoTokenizer.from_pretrained(folder)
    model: Any = hf.AutoModelForTextToWaveform.from_pretrained(folder).eval()
    with create_task("transformers", TASK, folder) as task:
        for asked, told in CALLS if name == TASK else CALLS[:1]:
            together = heard(task, TEXTS, **asked)
            [alone] = heard(task, TEXTS[:1], **asked)
            assert alone == pytest.approx(together[0], abs=TOLERANCE)
            for text, wave in zip(TEXTS, together, strict=True):
                torch.manual_seed(asked.get("seed", 0))
                own = model.generate(**tokenizer(text, return_tensors="pt"), **told)[0].T
                assert wave == pytest.approx(np.clip(own.squeeze().numpy(), -1, 1), abs=TOLERANCE)
            assert len({wave.tobytes() for wave in together}) == len(TEXTS)
            # More samples of silence would prove nothing.
            assert all(len(wave) > 30 and np.ptp(wave) > 0.01 for wave in together)
            assert together[0].ndim == (2 if "stereo" in name else 1)


def test_the_pipeline_plays_the_same(tiny_model: Callable[[str], Path]) -> None:
    folder = str(tiny_model(TASK))
    torch.manual_seed(0)
    pipeline: Any = hf.pipeline(TASK, model=folder)
    torch.manual_seed(5)
    own = pipeline(TEXTS[0], generate_kwargs={"max_new_tokens": 30, "do_sample": True})
    with create_task("transformers", TASK, folder) as task:
        [wave] = heard(task, TEXTS[:1], max_new_tokens=30, do_sample=True, seed=5)
    assert wave == pytest.approx(np.clip(np.ravel(own["audio"]), -1, 1), abs=TOLERANCE)


def test_a_duration_is_exact(tiny_model: Callable[[str], Path]) -> None:
    with create_task("transformers", TASK, str(tiny_model(TASK))) as task:
        for seconds in (0.1, 0.1237):
            [wave] = heard(task, TEXTS[:1], duration=seconds)
            assert len(wave) == round(seconds * 400)
        # 0.1 s are 5 frames, and the last of four codebooks comes three steps late.
        [wave], [frames] = (
            heard(task, TEXTS[:1], **how) for how in ({"duration": 0.1}, {"max_new_tokens": 8})
        )
    assert (wave == frames).all()


def test_a_duration_and_a_number_of_frames_are_one_too_many() -> None:
    with pytest.raises(ValidationError, match="duration, max_new_tokens: expected one of them"):
        TextToAudioInput(texts=["a"], duration=1, max_new_tokens=50)


@pytest.mark.parametrize(
    ("kind", "hint"), [("vits", "; it speaks: serve it as text-to-speech"), ("pocket_tts", "")]
)
def test_another_kind_is_refused_and_a_voice_sent_to_its_task(
    kind: str, hint: str, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(f'{{"model_type": "{kind}"}}')
    with pytest.raises(ModelRefused) as refused:
        create_task("transformers", TASK, str(tmp_path))
    assert str(refused.value).endswith(f"it takes musicgen, musicgen_melody{hint}")
