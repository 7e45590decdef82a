"""Pictures of coloured shapes, with the truth about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from sklearn.datasets import load_sample_images

SHAPES = ("circle", "square", "triangle")
COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 180, 60),
    "blue": (50, 80, 220),
    "yellow": (230, 210, 40),
}

#: Height and width of a picture in pixels.
SIZE = 64


@dataclass(frozen=True, slots=True)
class Drawn:
    """A shape in a picture: index into SHAPES, xmin, ymin, xmax, ymax in pixels, and colour."""

    shape: int
    box: tuple[int, int, int, int]
    colour: str

    @property
    def caption(self) -> str:
        """What it is, as people say: red circle."""
        return f"{self.colour} {SHAPES[self.shape]}"


def draw(rng: np.random.Generator, most: int = 1) -> tuple[Image.Image, list[Drawn]]:
    """A picture with one to `most` shapes that hardly overlap."""
    ground = rng.integers(0, 60, (SIZE, SIZE, 3)) + rng.integers(0, 150)
    image = Image.fromarray(ground.astype(np.uint8))
    pen, drawn = ImageDraw.Draw(image), list[Drawn]()
    for _ in range(int(rng.integers(1, most + 1))):
        radius = int(rng.integers(7, 15))
        x, y = (int(v) for v in rng.integers(radius, SIZE - radius, size=2))
        box = (x - radius, y - radius, x + radius, y + radius)
        if any(overlap(box, other.box) > 0.05 for other in drawn):
            continue
        shape = int(rng.integers(len(SHAPES)))
        colour = tuple(COLOURS)[int(rng.integers(len(COLOURS)))]
        drawn.append(Drawn(shape, box, colour))
        _paint(pen, drawn[-1], COLOURS[colour])
    return image, drawn


def _paint(pen: ImageDraw.ImageDraw, drawn: Drawn, fill: tuple[int, int, int] | int) -> None:
    left, top, right, bottom = drawn.box
    if drawn.shape == 0:
        pen.ellipse(drawn.box, fill=fill)
    elif drawn.shape == 1:
        pen.rectangle(drawn.box, fill=fill)
    else:
        pen.polygon([((left + right) / 2, top), (left, bottom), (right, bottom)], fill=fill)


def label_map(drawn: Sequence[Drawn]) -> NDArray[Any]:
    """What each pixel shows, (64, 64) int64: 0 for the ground, 1 + the index into SHAPES."""
    image = Image.new("L", (SIZE, SIZE))
    for item in drawn:
        _paint(ImageDraw.Draw(image), item, 1 + item.shape)
    return np.asarray(image).astype(np.int64)


def photographs() -> list[Image.Image]:
    """scikit-learn's two photographs, a temple and a flower: nothing drawn in them."""
    return [Image.fromarray(pixels) for pixels in load_sample_images().images]


def piece(rng: np.random.Generator, photos: list[Image.Image]) -> tuple[Image.Image, list[Drawn]]:
    """A square cut from a photograph, shrunk to a picture without shapes."""
    photo = photos[int(rng.integers(len(photos)))]
    edge = int(rng.integers(SIZE // 2, min(photo.size)))
    left, top = (int(rng.integers(0, side - edge)) for side in photo.size)
    cut = photo.crop((left, top, left + edge, top + edge))
    return cut.resize((SIZE, SIZE), Image.Resampling.BILINEAR), []


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over union of two boxes."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return width * height / max(area - width * height, 1e-9)
