"""What the demo sends: real inputs from installed packages."""

from __future__ import annotations

import io
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from PIL import Image

from ...samples.digits_data import load, split
from ...samples.shapes_data import SHAPES, draw

#: Pairs of sentences that say the same, and one that is a stranger to both.
PARAPHRASES = (
    (
        "A man is eating his lunch in the park.",
        "Someone has a meal outdoors.",
        "The central bank raised its interest rates.",
    ),
    (
        "The ferry crosses the river every ten minutes.",
        "A boat takes people over the water six times an hour.",
        "She forgot to water the tomatoes.",
    ),
    (
        "How do I reset my password?",
        "I can't log in and need new credentials.",
        "The recipe asks for two eggs and a cup of flour.",
    ),
)


@dataclass(frozen=True, slots=True)
class Picture:
    """An image file, its name, and what it truly shows ("" where nobody knows)."""

    name: str
    data: bytes
    truth: str = ""


def encode(image: Image.Image, form: str = "PNG") -> bytes:
    """An image as a file."""
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


def digits(count: int) -> list[Picture]:
    """Handwritten digits that the model was not trained on, enlarged to 64 x 64; they repeat."""
    scans, labels = load()
    _, _, held_out = split(labels)
    chosen = [int(held_out[number % len(held_out)]) for number in range(count)]
    return [
        Picture(f"digit-{index}.png", encode(_enlarged(scans[index])), str(labels[index]))
        for index in chosen
    ]


def _enlarged(scan: np.ndarray) -> Image.Image:
    return Image.fromarray(scan).resize((64, 64), Image.Resampling.BILINEAR)


def drawn(count: int) -> list[Picture]:
    """Pictures with one coloured shape each, drawn as for training but from another seed."""
    rng, pictures = np.random.default_rng(7), []
    for number in range(count):
        image, (shape,) = draw(rng)
        pictures.append(Picture(f"shape-{number}.png", encode(image), SHAPES[shape.shape]))
    return pictures


def photographs() -> list[Picture]:
    """Photographs that ship inside scikit-image; nothing is downloaded."""
    folder = files("skimage") / "data"
    names = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")
    found = [folder / name for name in names]
    return [Picture(file.name, file.read_bytes()) for file in found if file.is_file()]
