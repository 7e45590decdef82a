"""Films against the pictures from which they were made."""

from __future__ import annotations

import struct
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from wherry.protocol.errors import RowError
from wherry.tasks.backends.image import films
from wherry.tasks.backends.image.videos import FrameSource, open_video
from wherry.tasks.containers import container

from ....support import media, tiny

SIZE = (64, 48)


def picture(number: int) -> NDArray[np.uint8]:
    """A bar that moves to the right, bright at the top: which frame it is can be seen."""
    pixels = np.full((SIZE[1], SIZE[0], 3), 40, np.uint8)
    pixels[:, 4 * number : 4 * number + 8] = (200, 90, 30)
    pixels[:8, :, 2] = 220
    return pixels


PICTURES = [picture(number) for number in range(10)]


def opened(data: bytes, fps: float | None = None, *, pixels: int = 10**6) -> FrameSource:
    return open_video([data], 10**5, pixels, fps)


def seen(video: FrameSource, wanted: Any = None) -> list[NDArray[np.uint8]]:
    wanted = range(video.count) if wanted is None else wanted
    return [np.asarray(image) for image in video.frames(wanted)]


def number_of(pixels: NDArray[np.uint8]) -> int:
    """Which of the pictures it is most like."""
    far = [np.abs(pixels.astype(int) - other).mean() for other in PICTURES]
    assert min(far) < 12
    return int(np.argmin(far))


@pytest.mark.parametrize(
    ("kind", "codec"),
    [
        *(("mp4", "libx264"), ("mov", "libx264"), ("webm", "libvpx-vp9"), ("mp4", "libsvtav1")),
        *(("mp4", "libx265"), ("avi", "mpeg4"), ("mpegts", "libx264"), ("matroska", "libx264")),
    ],
)
def test_every_frame_of_every_kind_is_seen_in_its_place(kind: str, codec: str) -> None:
    pictures = PICTURES
    video = opened(media.film(pictures, kind, codec))
    assert video.count == 10
    assert video.times == pytest.approx([number / 10 for number in range(10)], abs=2e-3)
    assert [number_of(pixels) for pixels in seen(video)] == list(range(10))


def test_frames_are_taken_by_their_numbers() -> None:
    video = opened(media.film(PICTURES))
    assert [number_of(pixels) for pixels in seen(video, [0, 3, 3, 9])] == [0, 3, 3, 9]
    assert [number_of(pixels) for pixels in seen(video, [7])] == [7]


@pytest.mark.parametrize(
    ("fps", "numbers"), [(5, [0, 2, 4, 6, 8]), (1, [0]), (4, [0, 2, 5, 7]), (20, None)]
)
def test_so_many_a_second_are_those_shown_then(fps: float, numbers: list[int] | None) -> None:
    video = opened(media.film(PICTURES), fps)
    numbers = numbers or [k // 2 for k in range(19)]
    assert [number_of(pixels) for pixels in seen(video)] == numbers
    assert video.times == pytest.approx([number / 10 for number in numbers], abs=2e-3)


def test_times_of_a_rate_that_varies_are_its_own() -> None:
    at = [0, 1, 2, 10, 11, 30]
    video = opened(media.film(PICTURES[:6], at=at))
    assert video.times == pytest.approx([number / 10 for number in at], abs=2e-3)
    assert [number_of(p) for p in seen(opened(media.film(PICTURES[:6], at=at), 1))] == [0, 3, 4, 5]


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_turned_phones_film_is_upright(turn: int) -> None:
    """Clockwise, by the matrix of the track's header, as phones write it."""
    film = media.film(PICTURES[:3])
    cos, sin = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[turn]
    matrix = [cos, sin, 0, -sin, cos, 0, 0, 0, 1]
    upright = struct.pack(">9i", *[1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30])
    turned = struct.pack(">9i", *[v << (30 if i % 3 == 2 else 16) for i, v in enumerate(matrix)])
    at = film.index(upright, film.index(b"tkhd"))
    found = seen(opened(film[:at] + turned + film[at + len(turned) :]))[1]
    wanted = np.asarray(Image.fromarray(PICTURES[1]).rotate(-turn, expand=True))
    assert found.shape == wanted.shape
    assert np.abs(found.astype(int) - wanted).mean() < 12


def refused(data: bytes, **options: Any) -> str:
    with pytest.raises(RowError) as caught:
        seen(opened(data, **options))
    return caught.value.message


def test_what_is_no_film_or_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    film = media.film(PICTURES)
    assert refused(film[:40]) == "the film cannot be read (InvalidDataError)"
    assert refused(film, pixels=64 * 48 - 1) == (
        "the film has over 9 frames, which are allowed for its size"
    )
    with pytest.raises(RowError, match="64 x 48 pixels; 3071 are allowed"):
        open_video([film], 64 * 48 - 1, 10**6)
    sound = media.sound(np.zeros(4800, np.float32), "ipod", "aac")
    assert refused(sound) == "the file has no pictures"
    monkeypatch.setattr(films, "MAX_FRAMES", 0)
    assert "over 0 frames" in refused(film)


def test_a_film_that_is_cut_off_is_refused() -> None:
    whole = media.film([picture(number % 10) for number in range(40)], "matroska")
    video = opened(whole)
    video._data = whole[: len(whole) // 2] + bytes(len(whole) // 2)  # type: ignore[attr-defined]
    with pytest.raises(RowError, match="broken or cut off before its frame|cannot be read"):
        seen(video)


def test_an_avif_is_a_picture() -> None:
    file = tiny.encode(tiny.noise(40, 24), "AVIF")
    assert container(file) is None
    assert opened(file).count == 1


def test_without_the_extra_the_refusal_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    film = media.film(PICTURES[:2])
    monkeypatch.delitem(sys.modules, "wherry.tasks.backends.image.films", raising=False)
    monkeypatch.delattr("wherry.tasks.backends.image.films", raising=False)
    monkeypatch.setitem(sys.modules, "av", None)
    assert refused(film).startswith("MP4, M4A, MOV or 3GP is read with the extra media")
