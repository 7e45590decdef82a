"""supervision's InferenceSlicer over a fleet, by the recipe of docs/supervision.md as it stands."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

import wherry
from wherry.ops.stack import Stack

from .conftest import Environment
from .test_label_studio_server import MODELS

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(1500)]

NAME = "supervision 0.31.2"
PAGE = Path(__file__).parents[2] / "docs" / "supervision.md"
SAME = ("httpx", "imagesize", "numpy", "pillow", "pydantic", "pydantic-settings", "rich", "typer")

#: What is drawn: shape, left and top; each 36 pixels wide.
DRAWN = [("circle", 10, 12), ("square", 150, 40), ("circle", 300, 150), ("square", 60, 190)]


@pytest.fixture(scope="module")
def told(
    environment: Environment,
    drive: Callable[..., list[dict[str, Any]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("slicer")
    image = Image.new("RGB", (400, 260), "white")
    drawing = ImageDraw.Draw(image)
    for shape, left, top in DRAWN:
        draw = drawing.ellipse if shape == "circle" else drawing.rectangle
        draw((left, top, left + 36, top + 36), fill="red")
    image.save(folder / "large.png")
    [recipe] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (folder / "recipe.py").write_text(recipe)
    (folder / "models.toml").write_text(MODELS)
    python = environment("supervision", NAME.replace(" ", "=="), same=SAME)
    [package] = wherry.__path__
    with (
        Stack(models=folder / "models.toml", data_dir=folder, flower=False) as stack,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("WHERRY_URL", stack.url)
        source, recipe_file = Path(package).parent, folder / "recipe.py"
        [line] = drive(python, "supervision_client.py", source, recipe_file)
    return line


@pytest.mark.call(NAME, "InferenceSlicer")
def test_what_is_drawn_is_found_where_it_is_drawn(told: dict[str, Any]) -> None:
    for shape, left, top in DRAWN:
        near = [
            label
            for label, box in zip(told["labels"], told["boxes"], strict=True)
            if abs(box[0] - left) < 8 and abs(box[1] - top) < 8 and abs(box[2] - left - 36) < 8
        ]
        assert shape in near, (shape, left, top, told)
    assert all(score >= 0.5 for score in told["scores"])
    assert len(told["printed"].splitlines()) == len(told["boxes"])
