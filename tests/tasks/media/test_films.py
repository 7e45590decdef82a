"""Films against the pictures from which they were made."""

from __future__ import annotations

import struct
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from wherry.protocol.errors import RowError
from wherry.tasks.backends.image.videos import FrameSource, open_video
from wherry.tasks.media import films
from wherry.tasks.media.containers import container

from ...support import media, tiny

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
    video._data = whole[: len(whole) // 2] + bytes(len(whole) // 2)  # type: ignore[attr-defined] # cut since
    with pytest.raises(RowError, match="broken or cut off before its frame|cannot be read"):
        seen(video)


def test_an_avif_is_a_picture() -> None:
    file = tiny.encode(tiny.noise(40, 24), "AVIF")
    assert container(file) is None
    assert opened(file).count == 1


def test_without_the_extra_the_refusal_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    film = media.film(PICTURES[:2])
    for module in ("films", "ffmpeg"):
        monkeypatch.delitem(sys.modules, f"wherry.tasks.media.{module}", raising=False)
    monkeypatch.delattr("wherry.tasks.media.films", raising=False)
    monkeypatch.setitem(sys.modules, "av", None)
    assert refused(film).startswith("MP4, M4A, MOV or 3GP is read with the extra media")


def test_a_long_film_of_many_frames_a_second_is_refused_before_they_are_counted() -> None:
    film = media.film(PICTURES[:2], "matroska", at=[0, 400_000], fps=1)
    assert refused(film, fps=240) == (
        "the film lasts 400000.0 s: with fps 240 it has over 1000 frames, which are allowed"
    )


def test_packets_of_one_time_count_each() -> None:
    packet = SimpleNamespace(pts=0, dts=0, size=1, is_discard=False)
    file: Any = SimpleNamespace(demux=lambda _: [packet] * 10)
    stream: Any = None
    with pytest.raises(RowError, match="over 5 frames"):
        films._stamps(file, stream, 5)
    assert films._stamps(file, stream, 10) == [0]


@pytest.mark.parametrize(("start", "length", "numbers"), [(0, 5, range(5)), (3, 4, range(3, 7))])
def test_an_edited_film_has_the_frames_that_are_shown(
    start: int, length: int, numbers: range
) -> None:
    """As trimming leaves it: all packets are there, and a list says what of them is shown."""
    film = media.film(PICTURES, codec="mpeg4")
    at = film.index(b"elst") + 12  # its version, flags and count come first
    _, first = struct.unpack_from(">Ii", film, at)
    scale = struct.unpack_from(">I", film, film.index(b"mdhd") + 16)[0]
    edit = struct.pack(">Ii", 100 * length, first + start * scale // 10)
    video = opened(film[:at] + edit + film[at + 8 :])
    assert [number_of(pixels) for pixels in seen(video)] == list(numbers)
    assert video.times == pytest.approx([n / 10 for n in range(length)], abs=2e-3)


def test_frames_that_are_stored_in_another_order_are_seen_as_shown() -> None:
    """AVI tells when a frame is decoded, and H.264 decodes some before those shown earlier."""
    video = opened(media.film(PICTURES, "avi", "libx264"))
    assert [number_of(pixels) for pixels in seen(video)] == list(range(10))


def test_frames_of_another_size_are_refused_before_they_are_made_pictures() -> None:
    film = media.film(PICTURES, "webm", "libvpx-vp9")
    wide = [np.zeros((96, 128, 3), np.uint8)] * 10
    other = media.film(wide, "webm", "libvpx-vp9")
    video = opened(film)
    video._data = other  # type: ignore[attr-defined] # as a stream whose pictures grow
    with pytest.raises(RowError, match=r"frame 0: \(128, 96\) pixels|cannot be read"):
        seen(video)


def test_a_title_in_another_alphabet_is_no_fault() -> None:
    film = media.film(PICTURES, "avi", "mpeg4", title="Cafe")
    latin = film.replace(b"Cafe", b"Caf\xe9")
    assert latin != film
    assert opened(latin).count == 10


def test_a_codec_that_is_not_read_is_said_so() -> None:
    film = media.film(PICTURES)
    assert refused(film.replace(b"avc1", b"zzz1")) == "the film is of a codec that is not read"
