"""A film of a phone, all the way through the queue: what is said in it, and what moves."""

from __future__ import annotations

from pathlib import Path

import httpx
import numpy as np
import pytest

from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.samples.tiny import build
from wherry.tasks.vision.video_mask_generation import (
    VideoMaskGenerationInput,
    VideoMaskGenerationOutput,
)

from ..support import media, packaged
from ..support.speech import RATE, Voice, word_error_rate

pytestmark = pytest.mark.slow

SENTENCES = [
    "The weather is nice today, and the train arrives at half past nine.",
    "Please close the door.",
    "A small dog ran across the street and into the park.",
    "My brother plays the piano every evening after dinner.",
]

MODELS = """
[[models]]
name = "whisper"
task = "automatic-speech-recognition"
backend = "transformers"
source = "{source}"
"""

TRACKER = """
[[models]]
name = "tracker"
task = "video-mask-generation"
backend = "transformers"
source = "{source}"
"""


@pytest.fixture
def tiny_tracker(tmp_path: Path) -> Path:
    return build("video-mask-generation", tmp_path / "tracker")


def test_an_mp4_of_a_minute_is_written_down(tmp_path: Path) -> None:
    told, _ = Voice().tell(SENTENCES, pause_s=0.8)
    told = np.pad(told, (0, max(0, 60 * RATE - len(told))))
    pictures = (np.full((48, 64, 3), number % 255, np.uint8) for number in range(600))
    film = media.film(pictures, samples=told, rate=RATE)
    models = tmp_path / "models.toml"
    models.write_text(MODELS.format(source=packaged.model("whisper-tiny.en")))
    with Stack(models=models, data_dir=tmp_path / "data", flower=False) as stack:
        answer = httpx.post(
            f"{stack.url}/v1/audio/transcriptions",
            data={"model": "whisper", "response_format": "verbose_json"},
            files={"file": ("film.mp4", film, "video/mp4")},
            timeout=120,
        )
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert document["duration"] == pytest.approx(60, abs=0.1)
    assert word_error_rate(document["text"], " ".join(SENTENCES)) <= 0.1


def test_objects_of_an_mp4_of_a_minute_are_followed(tiny_tracker: Path, tmp_path: Path) -> None:
    wide = np.random.default_rng(0).integers(0, 255, (48, 700, 3), dtype=np.uint8)
    film = media.film(wide[:, number : number + 64] for number in range(600))
    models = tmp_path / "models.toml"
    models.write_text(TRACKER.format(source=tiny_tracker))
    given = VideoMaskGenerationInput(
        videos=[[film]], objects_ids=[[5]], frame_indexes=[[0]], boxes=[[[8, 8, 40, 40]]], fps=1
    )
    with (
        Stack(models=models, data_dir=tmp_path / "data", flower=False) as stack,
        Client(stack.url) as client,
    ):
        output = client.infer("tracker", given, 120)
    assert isinstance(output, VideoMaskGenerationOutput)
    assert output.frame_indexes == [list(range(60))]
    assert output.times == [pytest.approx(list(range(60)), abs=2e-3)]
    assert len(output.masks[0]) == 60
