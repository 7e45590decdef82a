"""`make bench-decoding`: what a picture and a sound cost to decode, beside the fastest wheels.

Milliseconds of CPU a file, of one thread: a shared machine's wall clock tells of its neighbours.
The wheels lie in a folder of their own, never in the project's environment.
"""

from __future__ import annotations

import io
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
import soxr
from PIL import Image
from rich.console import Console
from rich.table import Table

from wherry.tasks.backends.sound import waveform
from wherry.tasks.media.decode import decode

_WHEELS = (
    "imagecodecs==2026.3.6",
    "kornia-rs==0.2.0",
    "miniaudio==1.71",
    "opencv-python-headless==5.0.0.93",
    "pyspng==0.1.4",
    "simplejpeg==1.9.0",
    "sphn==0.2.1",
    "torchcodec==0.17.0",
)
_FOLDER = Path(".wherry/bench-decoders")

#: What a model of 224 pixels is decoded for with decode = "scaled".
_ENOUGH = (448, 448)

_SIZES = {"640 x 480": (640, 480), "12 megapixels": (4000, 3000)}
_SECONDS, _RATE, _WANTED = 60, 44_100, 16_000

Decoder = Callable[[bytes], Any]


def main() -> None:
    """Measure and print."""
    _borrow()
    console = Console(width=max(Console().width, 120))
    table = Table("file", "decoder", "ms of CPU", "ratio to ours", "greatest difference")
    for name, kind, data in _pictures():
        _measure(table, f"{kind}, {name}", data, _of_pictures(kind), _pixels)
    for kind, data in (("MP3", _mp3()), ("M4A", _m4a())):
        _measure(table, f"{kind}, {_SECONDS} s", data, _of_sounds(kind), np.asarray)
    console.print(table)


def _borrow() -> None:
    """Install the wheels where they are not, and let them be imported after our own packages."""
    if not _FOLDER.exists():
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"),
                *("--target", str(_FOLDER), *_WHEELS),
            ],
            check=True,
        )
    sys.path.append(str(_FOLDER.absolute()))


def _measure(
    table: Table, file: str, data: bytes, decoders: dict[str, Decoder], values: Decoder
) -> None:
    """A row a decoder, the first of which is ours; they take turns."""
    expected: Any = None
    told: dict[str, str] = {}
    times: dict[str, list[float]] = {}
    for name, decoder in decoders.items():
        try:
            found = values(decoder(data))
        except Exception as error:  # theirs are many
            table.add_row(file, name, f"does not read it ({type(error).__name__})")
            continue
        expected = found if expected is None else expected
        same = found.shape == expected.shape
        told[name] = f"{np.abs(found - expected).max():.3g}" if same else f"{found.shape}"
        times[name] = []
    for _ in range(3 if len(data) > 1_500_000 else 15):
        for name, taken in times.items():
            started = time.process_time()
            made = decoders[name](data)
            taken.append(time.process_time() - started)
            del made
    ours = statistics.median(next(iter(times.values())))
    for name, taken in times.items():
        median = statistics.median(taken)
        table.add_row(file, name, f"{median * 1000:.2f}", f"{median / ours:.2f}", told[name])
    table.add_section()


def _pixels(image: Any) -> Any:
    return np.asarray(image, int)


def _of_pictures(kind: str) -> dict[str, Decoder]:
    """Ours, which makes a Pillow image as the models' resizing takes it, and others' arrays."""
    import cv2
    import imagecodecs
    import pyspng
    import simplejpeg
    from kornia_rs import io as kornia

    cv2.setNumThreads(1)
    arrays: dict[str, dict[str, Decoder]] = {
        "JPEG": {
            "simplejpeg": simplejpeg.decode_jpeg,
            "imagecodecs": imagecodecs.jpeg8_decode,
            "kornia-rs": kornia.decode_image_jpeg,
        },
        "PNG": {"pyspng": pyspng.load, "imagecodecs": imagecodecs.spng_decode},
        "WEBP": {"imagecodecs": imagecodecs.webp_decode},
    }
    rgb = cv2.IMREAD_COLOR_RGB
    found = {
        **arrays[kind],
        "opencv": lambda data: cv2.imdecode(np.frombuffer(data, np.uint8), rgb),
    }
    decoders: dict[str, Decoder] = {"ours": decode, "ours, as an array": _as_array(decode)}
    for name, decoder in found.items():
        decoders |= {name: decoder, f"{name}, as a Pillow image": _as_image(decoder)}
    if kind == "JPEG":
        decoders["ours, scaled"] = lambda data: decode(data, at_least=_ENOUGH)
        decoders["simplejpeg, scaled"] = lambda data: simplejpeg.decode_jpeg(
            data, min_width=_ENOUGH[0], min_height=_ENOUGH[1]
        )
    return decoders


def _as_array(decoder: Decoder) -> Decoder:
    return lambda data: np.asarray(decoder(data))


def _as_image(decoder: Decoder) -> Decoder:
    return lambda data: Image.fromarray(decoder(data))


def _of_sounds(kind: str) -> dict[str, Decoder]:
    """To one channel of floats at 16,000 a second."""
    import miniaudio
    import sphn

    def ours(data: bytes) -> Any:
        return waveform.decode(data, None, rate=_WANTED, max_seconds=2 * _SECONDS)

    def with_miniaudio(data: bytes) -> Any:
        form = miniaudio.SampleFormat.FLOAT32
        made = miniaudio.decode(data, output_format=form, nchannels=1, sample_rate=_RATE)
        return soxr.resample(np.frombuffer(made.samples, np.float32), _RATE, _WANTED)

    def with_sphn(data: bytes) -> Any:
        path = _FOLDER / f"sound.{kind.lower()}"  # it reads files alone
        path.write_bytes(data)
        samples, rate = sphn.read(str(path))
        return soxr.resample(samples.mean(axis=0), rate, _WANTED)

    def with_torchcodec(data: bytes) -> Any:
        from torchcodec.decoders import AudioDecoder

        decoder = AudioDecoder(data, sample_rate=_WANTED, num_channels=1)
        return decoder.get_all_samples().data.numpy()[0]

    return {
        "ours": ours,
        "miniaudio, soxr": with_miniaudio,
        "sphn, soxr": with_sphn,
        "PyAV, its resampler": _with_pyav,
        "torchcodec": with_torchcodec,
    }


def _with_pyav(data: bytes) -> Any:
    with av.open(io.BytesIO(data), "r") as file:
        resampler = av.AudioResampler("flt", "mono", _WANTED)
        frames = [made for frame in file.decode(audio=0) for made in resampler.resample(frame)]
        return np.concatenate([f.to_ndarray()[0] for f in frames + resampler.resample(None)])


def _pictures() -> list[tuple[str, str, bytes]]:
    """A photograph in each size and kind, with a camera's noise: else it would pack too well."""
    import sklearn

    photo = Image.open(Path(sklearn.__file__).parent / "datasets" / "images" / "china.jpg")
    found = []
    for name, (width, height) in _SIZES.items():
        noise = np.random.default_rng(0).normal(0, 3, (height, width, 1))
        values = np.asarray(photo.convert("RGB").resize((width, height))) + noise
        image = Image.fromarray(values.round().clip(0, 255).astype(np.uint8))
        for kind, options in (("JPEG", {"quality": 85}), ("PNG", {}), ("WEBP", {"quality": 80})):
            buffer = io.BytesIO()
            image.save(buffer, kind, **options)
            found.append((name, kind, buffer.getvalue()))
    return found


def _sound() -> Any:
    """Two channels of something between speech and noise, (samples, 2)."""
    times = np.arange(_SECONDS * _RATE) / _RATE
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * 3 * times)
    tone = 0.3 * swell * np.sin(2 * np.pi * (200 * times + 50 * np.sin(np.pi * times)))
    heard = tone + 0.02 * np.random.default_rng(0).normal(size=len(times))
    return np.stack([heard, np.roll(heard, 20)], axis=1).astype(np.float32)


def _mp3() -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, _sound(), _RATE, format="MP3", subtype="MPEG_LAYER_III")
    return buffer.getvalue()


def _m4a() -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="ipod") as file:
        stream = file.add_stream("aac", rate=_RATE)
        stream.layout = "stereo"
        planes = np.ascontiguousarray(_sound().T)
        whole = av.AudioFrame.from_ndarray(planes, format="fltp", layout="stereo")
        whole.sample_rate = _RATE
        cutter = av.AudioResampler("fltp", "stereo", _RATE, frame_size=1024)
        for frame in [*cutter.resample(whole), *cutter.resample(None), None]:
            for packet in stream.encode(frame):
                file.mux(packet)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
