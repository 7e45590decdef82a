"""Models of videos against transformers' own processors, where they can be made, and models."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from PIL import Image

from wherry.protocol.errors import RowError
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.backends.image.videos import open_video
from wherry.tasks.base import TaskOutput
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.vision.video_classification import (
    VideoClassificationInput,
    VideoClassificationOutput,
)

from ....support import media, tiny

Models = Callable[[str], Path]

NAME = "video-classification"
TOLERANCE = 1e-4
LARGE = 10**9


def frames(count: int, size: tuple[int, int], seed: int) -> list[bytes]:
    return [tiny.encode(tiny.noise(*size, seed=seed + number)) for number in range(count)]


#: Of several lengths and sizes; the model looks at four frames.
VIDEOS = (
    frames(11, (90, 60), 0),
    frames(4, (40, 70), 20),
    [tiny.moving(frames(7, (130, 50), 30), "WEBP", lossless=True)],
)


def pictures(video: Sequence[bytes]) -> list[Image.Image]:
    """All of a video's frames."""
    opened: list[Any] = [Image.open(io.BytesIO(data)) for data in video]
    if len(opened) > 1:
        return [image.convert("RGB") for image in opened]
    found = []
    for number in range(opened[0].n_frames):
        opened[0].seek(number)
        found.append(opened[0].convert("RGB"))
    return found


def row(video: list[bytes], **fields: Any) -> VideoClassificationInput:
    return VideoClassificationInput(videos=[video], **fields)


def scores(answer: object) -> dict[str, float]:
    assert isinstance(answer, VideoClassificationOutput), answer
    assert not answer.warning
    return {found.label: found.score for found in answer.results[0]}


def by_hand(model: Any, values: torch.Tensor) -> dict[str, float]:
    """What the model says of (1, frames, 3, H, W)."""
    with torch.inference_mode():
        (found,) = model(values).logits.softmax(-1).tolist()
    return {model.config.id2label[i]: score for i, score in enumerate(found)}


def videomae(folder: Path, chosen: list[Image.Image]) -> dict[str, float]:
    """The documented call."""
    processor: Any = hf.AutoImageProcessor.from_pretrained(folder)
    model: Any = hf.AutoModelForVideoClassification.from_pretrained(folder).eval()
    return by_hand(model, processor(chosen, return_tensors="pt")["pixel_values"])


def vjepa2(folder: Path, chosen: list[Image.Image]) -> dict[str, float]:
    """The same, with what V-JEPA's processor does, which cannot be made without torchvision."""
    model: Any = hf.AutoModelForVideoClassification.from_pretrained(folder).eval()
    ready = []
    for image in chosen:
        short = int(64 * 256 / 224)
        scale = short / min(image.size)
        size = tuple(short if e == min(image.size) else int(scale * e) for e in image.size)
        small = image.resize((size[0], size[1]), Image.Resampling.BILINEAR)
        left, top = (size[0] - 64) // 2, (size[1] - 64) // 2
        crop = np.asarray(small.crop((left, top, left + 64, top + 64))) / 255
        ready.append((crop - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225])
    return by_hand(model, torch.tensor(np.stack(ready)).permute(0, 3, 1, 2)[None].float())


@pytest.mark.parametrize(
    ("name", "reference"),
    [(NAME, videomae), (f"{NAME}-vjepa2", vjepa2)],
    ids=["videomae", "vjepa2"],
)
def test_videos_of_a_batch_are_classified_as_each_is_alone(
    name: str, reference: Any, tiny_model: Models
) -> None:
    task = create_task("transformers", NAME, str(tiny_model(name)))
    whole = task.backend.run([row(video) for video in VIDEOS])
    from_start = [row(VIDEOS[0], frame_sampling_rate=2), row(VIDEOS[1], frame_sampling_rate=1)]
    sampled = task.backend.run(from_start)
    expected = []
    for video in VIDEOS:
        every = pictures(video)
        # As transformers' `default_sample_indices_fn` spreads four over all of a video.
        expected.append([every[i] for i in np.arange(4) * len(every) // 4])
    expected.append([pictures(VIDEOS[0])[i] for i in np.linspace(0, 7, num=4, dtype=np.int64)])
    expected.append(pictures(VIDEOS[1]))
    for answer, chosen in zip([*whole, *sampled], expected, strict=True):
        assert scores(answer) == pytest.approx(reference(tiny_model(name), chosen), abs=TOLERANCE)


@pytest.fixture(scope="module")
def task(tiny_model: Models) -> LocalTask:
    return create_task("transformers", NAME, str(tiny_model(NAME)))


@pytest.mark.parametrize(
    ("form", "options"),
    [("WEBP", {"lossless": True}), ("PNG", {}), ("PNG", {"default_image": True})],
)
def test_one_file_of_a_moving_picture_is_its_frames(
    task: LocalTask, form: str, options: dict[str, Any]
) -> None:
    still = frames(6, (90, 60), 3)
    cover = [still[5]] if options.get("default_image") else []  # shown where nothing moves
    (expected,) = task.backend.run([row(still)])
    (answer,) = task.backend.run([row([tiny.moving([*cover, *still], form, **options)])])
    assert scores(answer) == scores(expected)


def test_a_film_is_its_frames(task: LocalTask) -> None:
    whole = [np.asarray(image) for image in pictures(VIDEOS[0])]
    film = media.film(whole)
    shown = [tiny.encode(image) for image in open_video([film], 10**6, 10**8).frames(range(11))]
    [of_film], [of_frames] = task.backend.run([row([film])]), task.backend.run([row(shown)])
    assert scores(of_film) == pytest.approx(scores(of_frames), abs=1e-6)


def test_a_gifs_frames_are_those_that_are_seen(task: LocalTask) -> None:
    gif = tiny.moving(frames(6, (90, 60), 3), "GIF")
    seen = [tiny.encode(image) for image in pictures([gif])]
    (answer,), (expected,) = task.backend.run([row([gif])]), task.backend.run([row(seen)])
    assert scores(answer) == scores(expected)


def test_a_short_video_is_shown_slower_and_its_answer_says_so(task: LocalTask) -> None:
    first, second = frames(2, (90, 60), 3)
    short, slow = task.backend.run([row([first, second]), row([first, first, second, second])])
    assert isinstance(short, TaskOutput)
    assert "the video has 2 frames where the model looks at 4" in short.warning
    assert scores(short.warned("")) == scores(slow)


def test_a_count_that_the_model_does_not_take_fails_its_row_alone(task: LocalTask) -> None:
    first, other, last = task.backend.run(
        [row(VIDEOS[0]), row(VIDEOS[0], num_frames=8), row(VIDEOS[1])]
    )
    assert isinstance(other, RowError)
    assert other.message == "num_frames: the model takes 4, not 8"
    assert scores(first) != scores(last)


def test_a_row_that_is_one_file_is_a_video() -> None:
    gifs = [tiny.moving(frames(count, (90, 60), count), "GIF") for count in (5, 6)]
    given = VideoClassificationInput.validated({"videos": gifs})
    assert given.videos == [[gif] for gif in gifs]
    assert VideoClassificationInput.from_inference_request(given.to_inference_request()) == given


def test_a_moving_picture_is_bounded_before_it_is_decoded() -> None:
    gif = tiny.moving(frames(6, (90, 60), 0), "GIF")
    with pytest.raises(RowError, match="90 x 60 pixels; 5399 are allowed"):
        open_video([gif], 5399, LARGE)
    with pytest.raises(RowError, match="32400 pixels in all; 32399 are allowed"):
        open_video([gif], LARGE, 6 * 90 * 60 - 1)
    dots = [Image.new("L", (1, 1), number % 256) for number in range(1001)]
    long = tiny.moving([tiny.encode(dot) for dot in dots], "GIF")
    with pytest.raises(RowError, match="1001 frames; 1000 are allowed"):
        open_video([long], LARGE, LARGE)


def test_a_processor_that_does_more_is_refused(tiny_model: Models, tmp_path: Path) -> None:
    tiny_model_folder = tiny_model(NAME)
    for file in tiny_model_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    settings = tmp_path / "preprocessor_config.json"
    tiny.edit_json(settings, image_processor_type="OddImageProcessor")
    with pytest.raises(ModelRefused, match="a OddVideoProcessor does more to a frame"):
        create_task("transformers", NAME, str(tmp_path))
    tiny.edit_json(settings, image_processor_type=None)
    create_task("transformers", NAME, str(tmp_path)).close()  # its type of model has a usual one
    settings.unlink()
    with pytest.raises(ModelRefused, match=r"holds no preprocessor_config\.json"):
        create_task("transformers", NAME, str(tmp_path))
