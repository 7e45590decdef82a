"""Pictures of coloured shapes, with the truth about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from sklearn.datasets import load_sample_images

SHAPES = ("circle", "square", "triangle")
COLOURS = ((220, 40, 40), (40, 180, 60), (50, 80, 220), (230, 210, 40))

#: Height and width of a picture in pixels.
SIZE = 64


@dataclass(frozen=True, slots=True)
class Drawn:
    """A shape in a picture: index into SHAPES, and xmin, ymin, xmax, ymax in pixels."""

    shape: int
    box: tuple[int, int, int, int]


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
        colour = COLOURS[int(rng.integers(len(COLOURS)))]
        if shape == 0:
            pen.ellipse(box, fill=colour)
        elif shape == 1:
            pen.rectangle(box, fill=colour)
        else:
            pen.polygon([(x, box[1]), (box[0], box[3]), (box[2], box[3])], fill=colour)
        drawn.append(Drawn(shape, box))
    return image, drawn


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
